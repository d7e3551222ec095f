/**
 * Mode pages (SPC-4, 7.5; SBC-3, 6.5): a header of two bytes, then the parameters.
 *
 * ```text
 *  0 | PS 0, SPF 0, page code
 *  1 | page length
 *  2 | parameters
 * ```
 */

/** PAGE CODE and SUBPAGE CODE values that stand for every page, and for every subpage (SPC-4, 6.11). */
const ALL_PAGES = 0x3f;
export const ALL_SUBPAGES = 0xff;

/** Which of the values of a page is meant: PAGE CONTROL (SPC-4, 6.11). */
export const PageControl = { current: 0b00, changeable: 0b01, default: 0b10, saved: 0b11 } as const;

/** The parameters of each page, from byte 2, in ascending order of the pages' codes. */
const PAGES: ReadonlyMap<number, readonly number[]> = new Map([
  /** Caching (SBC-3, 6.5.5): WCE, as the page cache is a write cache and a flush empties it. */
  [0x08, [0x04, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
  /**
   * Control (SPC-4, 7.5). TST 000b: one task set for all initiators. QUEUE ALGORITHM MODIFIER 1h: simple commands are
   * reordered freely, as initiators expect. TAS 0: a task that another initiator aborts has no status. BUSY TIMEOUT
   * PERIOD FFFFh: without limit.
   */
  [0x0a, [0, 0x10, 0, 0, 0, 0, 0xff, 0xff, 0, 0]],
  /** Informational Exceptions Control (SBC-3, 6.5.6): DEXCPT, as there are none to report. */
  [0x1c, [0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
]);

function encodePage(code: number, parameters: readonly number[], pageControl: number): number[] {
  const values = pageControl === PageControl.changeable ? parameters.map(() => 0) : parameters;
  return [code, parameters.length, ...values];
}

/**
 * The mode page with this code, or all of them; undefined when there is none. Nothing can be changed, so that current
 * and default values are the same and the mask of changeable ones is zero.
 */
export function encodeModePages(pageCode: number, pageControl: number): Uint8Array | undefined {
  if (pageCode !== ALL_PAGES && !PAGES.has(pageCode)) return undefined;
  const pages = [...PAGES].filter(([code]) => pageCode === ALL_PAGES || pageCode === code);
  return Uint8Array.from(pages.flatMap(([code, parameters]) => encodePage(code, parameters, pageControl)));
}
