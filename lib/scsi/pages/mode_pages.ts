/**
 * Mode pages (SPC-4, 7.5; SBC-3, 6.5): a header, then the parameters.
 *
 * ```text
 *  page_0 format                     sub_page format
 *  0 | PS 0, SPF 0, page code        0   | PS 0, SPF 1, page code
 *  1 | page length                   1   | subpage code
 *  2 | parameters                    2-3 | page length
 *                                    4-  | parameters
 * ```
 *
 * PS is zero in every page: nothing is saved, and what MODE SELECT changes lasts until a reset.
 */

import { THRESHOLD_CHANGEABLE, THRESHOLD_DEFAULTS } from "./threshold.ts";

/** PAGE CODE and SUBPAGE CODE values that stand for every page, and for every subpage (SPC-4, 6.11). */
const ALL_PAGES = 0x3f;
export const ALL_SUBPAGES = 0xff;

/** Which of the values of a page is meant: PAGE CONTROL (SPC-4, 6.11). */
export const PageControl = { current: 0b00, changeable: 0b01, default: 0b10, saved: 0b11 } as const;

/** SPF in byte 0: the page has a subpage code. */
const SPF = 0x40;
const PAGE_CODE = 0x3f;

/** Where a field is: its first byte and, if it is smaller than that, its highest bit. */
export interface FieldPosition {
  readonly byte: number;
  readonly bit?: number | undefined;
}

/** A mode page of this target. */
export interface ModePage {
  readonly code: number;
  /** Zero for a page in page_0 format. */
  readonly subpage: number;
  /** The parameters without the header, as they are until somebody changes them. */
  readonly defaults: readonly number[];
  /** The bits that MODE SELECT may change, as long as `defaults`; undefined when there are none. */
  readonly changeable?: readonly number[];
  /** The field whose value is not supported, counted from the first parameter; undefined when all values are. */
  readonly findFault?: (parameters: Uint8Array) => FieldPosition | undefined;
}

/** The parameters of the control page that can be changed: TST and D_SENSE in byte 2, SWP in byte 4. */
const TST = 0xe0;
const D_SENSE = 0x04;
const SWP = 0x08;

/** The other value of TST (SPC-4, 7.5.8); all but these two are reserved. */
const TASK_SET_PER_NEXUS = 0b001;

/** Every mode page, by its name in the standards. */
export const MODE_PAGES = {
  /** SBC-3, 6.5.10. AWRE and ARRE: a medium mends itself. LBPERE: thresholds of provisioning are watched. */
  readWriteErrorRecovery: { code: 0x01, subpage: 0, defaults: [0xc0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0] },
  /**
   * SBC-3, 6.5.5. WCE, as the page cache is a write cache that a flush empties. It cannot be cleared: the promise that
   * each write is on stable storage before its status is what FUA gives, command by command (DPOFUA).
   */
  caching: { code: 0x08, subpage: 0, defaults: [0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
  /**
   * SPC-4, 7.5.8. TST 000b: one task set for all initiators. QUEUE ALGORITHM MODIFIER 1h: simple commands are
   * reordered freely, as initiators expect. QERR 00b: the failure of one command is not that of others. TAS 0: a task
   * that another initiator aborts has no status. BUSY TIMEOUT PERIOD FFFFh: without limit.
   */
  control: {
    code: 0x0a,
    subpage: 0,
    defaults: [0, 0x10, 0, 0, 0, 0, 0xff, 0xff, 0, 0],
    changeable: [TST | D_SENSE, 0, SWP, 0, 0, 0, 0, 0, 0, 0],
    findFault: (parameters) => parameters[0]! >>> 5 > TASK_SET_PER_NEXUS ? { byte: 0, bit: 7 } : undefined,
  },
  /** SPC-4, 7.5.9: timestamps cannot be set, and no command has a priority unless it says so. */
  controlExtension: { code: 0x0a, subpage: 0x01, defaults: Array.from({ length: 0x1c }, () => 0) },
  /** SPC-4, 7.5.13: no timer is enabled, as a file has no lesser power condition to go to. */
  powerCondition: { code: 0x1a, subpage: 0, defaults: Array.from({ length: 0x26 }, () => 0) },
  /** SBC-3, 6.5.8: DEXCPT, as there are none to report. */
  informationalExceptions: { code: 0x1c, subpage: 0, defaults: [0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
  /** SBC-3, 6.5.9: when initiators are told that space is short. */
  logicalBlockProvisioning: {
    code: 0x1c,
    subpage: 0x02,
    defaults: THRESHOLD_DEFAULTS,
    changeable: THRESHOLD_CHANGEABLE,
  },
} as const satisfies Readonly<Record<string, ModePage>>;

/** The pages in ascending order of code and subpage, which is the order in which they are sent (SPC-4, 6.11). */
const PAGES: readonly ModePage[] = Object.values<ModePage>(MODE_PAGES)
  .toSorted((a, b) => a.code - b.code || a.subpage - b.subpage);

/** The bytes before the parameters. */
export function modePageHeader({ code, subpage, defaults }: ModePage): readonly number[] {
  return subpage === 0 ? [code, defaults.length] : [code | SPF, subpage, 0, defaults.length];
}

/** The page whose header starts at `offset`, by its code and, where SPF is set, its subpage code. */
export function findModePage(bytes: Uint8Array, offset: number): ModePage | undefined {
  const first = bytes[offset]!;
  const code = first & PAGE_CODE;
  const subpage = (first & SPF) === 0 ? 0 : bytes[offset + 1]!;
  return PAGES.find((page) => page.code === code && page.subpage === subpage);
}

/** The pages that PAGE CODE and SUBPAGE CODE of MODE SENSE select (SPC-4, 6.11, table of mode page codes). */
export function selectModePages(code: number, subpage: number): readonly ModePage[] {
  return PAGES.filter((page) =>
    (code === ALL_PAGES || code === page.code) && (subpage === ALL_SUBPAGES || subpage === page.subpage)
  );
}

/** The values of all mode pages of one logical unit. */
export class ModeParameters {
  readonly #changed = new Map<ModePage, Uint8Array>();
  /** What commands ask for is kept apart, as they all do. */
  #taskSetType = 0;
  #descriptorSense = false;
  #softwareWriteProtected = false;

  /** TST is 001b: each I_T nexus has a task set of its own (SPC-4, 7.5.8). */
  get hasTaskSetPerNexus(): boolean {
    return this.#taskSetType === TASK_SET_PER_NEXUS;
  }

  /** D_SENSE: sense data is sent in descriptor format. */
  get usesDescriptorSense(): boolean {
    return this.#descriptorSense;
  }

  /** SWP: nothing is written until the bit is cleared. */
  get softwareWriteProtected(): boolean {
    return this.#softwareWriteProtected;
  }

  /** The parameters of a page that `pageControl` asks for. */
  values(page: ModePage, pageControl: number): ArrayLike<number> {
    if (pageControl === PageControl.changeable) return page.changeable ?? page.defaults.map(() => 0);
    return pageControl === PageControl.default ? page.defaults : this.#changed.get(page) ?? page.defaults;
  }

  /** Sets the current parameters of a page; returns whether that changed any. */
  set(page: ModePage, parameters: Uint8Array): boolean {
    const current = this.values(page, PageControl.current);
    if (parameters.every((byte, index) => byte === current[index])) return false;
    this.#changed.set(page, parameters.slice());
    this.#note();
    return true;
  }

  /** Gives every page its default values; returns whether that changed any. */
  reset(): boolean {
    const changed = [...this.#changed].some(([{ defaults }, parameters]) =>
      parameters.some((byte, index) => byte !== defaults[index])
    );
    this.#changed.clear();
    this.#note();
    return changed;
  }

  #note(): void {
    const control = this.values(MODE_PAGES.control, PageControl.current);
    this.#taskSetType = control[0]! >>> 5;
    this.#descriptorSense = (control[0]! & D_SENSE) !== 0;
    this.#softwareWriteProtected = (control[2]! & SWP) !== 0;
  }
}
