/** The last part of a path, without `suffix` when the part ends with it. */
export function basename(path: string, suffix?: string): string;

/** The path without its last part. */
export function dirname(path: string): string;

/**
 * The path that a `file:` URL names.
 *
 * @throws {TypeError} when the URL is of another kind
 */
export function fromFileUrl(url: string | URL): string;

/** Returns true if a path begins at the root. */
export function isAbsolute(path: string): boolean;

/** Joins the parts, then normalizes the result. */
export function join(path: string, ...paths: string[]): string;

/** Resolves `.`, `..` and repeated separators without asking the file system. */
export function normalize(path: string): string;

/** The relative path that leads from one path to the other. */
export function relative(from: string, to: string): string;

/** The absolute path at the end of `pathSegments`, each seen from the one before, the first from the current folder. */
export function resolve(...pathSegments: string[]): string;

/** The `file:` URL of an absolute path. */
export function toFileUrl(path: string): URL;
