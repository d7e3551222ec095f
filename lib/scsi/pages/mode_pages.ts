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
 * PS is zero in every page: nothing is saved, and changes by MODE SELECT last until a reset.
 */
import { THRESHOLD_CHANGEABLE, THRESHOLD_DEFAULTS } from "./threshold.ts";

/** PAGE CODE and SUBPAGE CODE values for all pages and all subpages (SPC-4, 6.11). */
const ALL_PAGES = 0x3f;
export const ALL_SUBPAGES = 0xff;

/** PAGE CONTROL: the kind of values that a command addresses (SPC-4, 6.11). */
export const PageControl = { current: 0b00, changeable: 0b01, default: 0b10, saved: 0b11 } as const;

/** SPF in byte 0: the page has a subpage code. */
const SPF = 0x40;
const PAGE_CODE = 0x3f;

/** The position of a field: its first byte and, for a field smaller than a byte, its highest bit. */
export interface FieldPosition {
  readonly byte: number;
  readonly bit?: number | undefined;
}

/** A mode page of this target. */
export interface ModePage {
  readonly code: number;
  /** Zero for a page in page_0 format. */
  readonly subpage: number;
  /** The parameters without the header, until MODE SELECT changes them. */
  readonly defaults: readonly number[];
  /** The bits that MODE SELECT may change, with the length of `defaults`; undefined when there are none. */
  readonly changeable?: readonly number[];
  /**
   * Returns the first field with an unsupported value, counted from the first parameter; undefined when all are
   * supported.
   */
  readonly findFault?: (parameters: Uint8Array) => FieldPosition | undefined;
}

/** The changeable fields of the control page: TST and D_SENSE in byte 2, SWP in byte 4. */
const TST = 0xe0;
const D_SENSE = 0x04;
const SWP = 0x08;

/** TST 001b (SPC-4, 7.5.8); all values above it are reserved. */
const TASK_SET_PER_NEXUS = 0b001;

/** WCE in byte 0 of the parameters of the caching page. */
const WCE = 0x04;

/** The mode pages, by their names in the standards. */
export const MODE_PAGES = {
  /** SBC-3, 6.5.10. AWRE and ARRE: the medium reallocates by itself. LBPERE: provisioning thresholds are watched. */
  readWriteErrorRecovery: { code: 0x01, subpage: 0, defaults: [0xc0, 0, 0, 0, 0, 0x80, 0, 0, 0, 0] },
  /**
   * SBC-3, 6.5.5. WCE is set, because the page cache is a write cache that a flush empties, unless the unit writes
   * through. Initiators cannot change it: FUA makes single writes stable before their status (DPOFUA).
   */
  caching: { code: 0x08, subpage: 0, defaults: [WCE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
  /**
   * SPC-4, 7.5.8. TST 000b: one task set for all initiators. QUEUE ALGORITHM MODIFIER 1h: simple commands are reordered
   * freely, as initiators expect. QERR 00b: a failed command does not abort others. TAS 0: a task that another
   * initiator aborts has no status. BUSY TIMEOUT PERIOD FFFFh: unlimited.
   */
  control: {
    code: 0x0a,
    subpage: 0,
    defaults: [0, 0x10, 0, 0, 0, 0, 0xff, 0xff, 0, 0],
    changeable: [TST | D_SENSE, 0, SWP, 0, 0, 0, 0, 0, 0, 0],
    findFault: (parameters) => parameters[0]! >>> 5 > TASK_SET_PER_NEXUS ? { byte: 0, bit: 7 } : undefined,
  },
  /** SPC-4, 7.5.9: timestamps cannot be set, and a command without a priority has none. */
  controlExtension: { code: 0x0a, subpage: 0x01, defaults: Array.from({ length: 0x1c }, () => 0) },
  /** SPC-4, 7.5.13: no timer is enabled, because a file has no lower power condition. */
  powerCondition: { code: 0x1a, subpage: 0, defaults: Array.from({ length: 0x26 }, () => 0) },
  /** SBC-3, 6.5.8. DEXCPT: no exceptions are reported. */
  informationalExceptions: { code: 0x1c, subpage: 0, defaults: [0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0] },
  /** SBC-3, 6.5.9: the threshold of available space. */
  logicalBlockProvisioning: {
    code: 0x1c,
    subpage: 0x02,
    defaults: THRESHOLD_DEFAULTS,
    changeable: THRESHOLD_CHANGEABLE,
  },
} as const satisfies Readonly<Record<string, ModePage>>;

/** The parameters of the caching page of a unit without a volatile write cache: WCE is zero. */
const WRITE_THROUGH_DEFAULTS = MODE_PAGES.caching.defaults.map(() => 0);

/** The pages in ascending order of code and subpage, which is the order of MODE SENSE data (SPC-4, 6.11). */
const PAGES: readonly ModePage[] = Object.values<ModePage>(MODE_PAGES)
  .toSorted((a, b) => a.code - b.code || a.subpage - b.subpage);

/** Returns the header of a page. */
export function modePageHeader({ code, subpage, defaults }: ModePage): readonly number[] {
  return subpage === 0 ? [code, defaults.length] : [code | SPF, subpage, 0, defaults.length];
}

/** Returns the page whose header starts at `offset`, by its code and, with SPF set, its subpage code. */
export function findModePage(bytes: Uint8Array, offset: number): ModePage | undefined {
  const first = bytes[offset]!;
  const code = first & PAGE_CODE;
  const subpage = (first & SPF) === 0 ? 0 : bytes[offset + 1]!;
  return PAGES.find((page) => page.code === code && page.subpage === subpage);
}

/** Returns the pages that PAGE CODE and SUBPAGE CODE of MODE SENSE select (SPC-4, 6.11, table of mode page codes). */
export function selectModePages(code: number, subpage: number): readonly ModePage[] {
  return PAGES.filter((page) =>
    (code === ALL_PAGES || code === page.code) && (subpage === ALL_SUBPAGES || subpage === page.subpage)
  );
}

/** The mode parameters of one logical unit. */
export class ModeParameters {
  readonly #changed = new Map<ModePage, Uint8Array>();
  /** The unit has a volatile write cache (WCE). */
  hasWriteCache = true;
  /** Values that every command reads, decoded in advance. */
  #taskSetType = 0;
  #descriptorSense = false;
  #softwareWriteProtected = false;

  /** TST is 001b: each I_T nexus has its own task set (SPC-4, 7.5.8). */
  get hasTaskSetPerNexus(): boolean {
    return this.#taskSetType === TASK_SET_PER_NEXUS;
  }

  /** D_SENSE: sense data is sent in descriptor format. */
  get usesDescriptorSense(): boolean {
    return this.#descriptorSense;
  }

  /** SWP: writing is refused until the bit is cleared. */
  get softwareWriteProtected(): boolean {
    return this.#softwareWriteProtected;
  }

  /** Returns the parameters of a page that `pageControl` selects. */
  values(page: ModePage, pageControl: number): ArrayLike<number> {
    if (pageControl === PageControl.changeable) return page.changeable ?? page.defaults.map(() => 0);
    const defaults = page === MODE_PAGES.caching && !this.hasWriteCache
      ? WRITE_THROUGH_DEFAULTS
      : page.defaults;
    return pageControl === PageControl.default ? defaults : this.#changed.get(page) ?? defaults;
  }

  /** Sets the current parameters of a page; returns whether any changed. */
  set(page: ModePage, parameters: Uint8Array): boolean {
    const current = this.values(page, PageControl.current);
    if (parameters.every((byte, index) => byte === current[index])) return false;
    this.#changed.set(page, parameters.slice());
    this.#decode();
    return true;
  }

  /** Resets all pages to their defaults; returns whether any parameter changed. */
  reset(): boolean {
    const changed = [...this.#changed].some(([{ defaults }, parameters]) =>
      parameters.some((byte, index) => byte !== defaults[index])
    );
    this.#changed.clear();
    this.#decode();
    return changed;
  }

  #decode(): void {
    const control = this.values(MODE_PAGES.control, PageControl.current);
    this.#taskSetType = control[0]! >>> 5;
    this.#descriptorSense = (control[0]! & D_SENSE) !== 0;
    this.#softwareWriteProtected = (control[2]! & SWP) !== 0;
  }
}
