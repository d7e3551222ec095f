/**
 * The part of `jsr:@std/path` that this project uses, over the same code as published on npm: the half of it for Linux,
 * since all of it takes every start of a program or a worker ten milliseconds more to load.
 */
// @ts-types="./types.d.ts"
export { basename } from "npm:deno-std@1.4.0/path/posix/basename.js";
// @ts-types="./types.d.ts"
export { dirname } from "npm:deno-std@1.4.0/path/posix/dirname.js";
// @ts-types="./types.d.ts"
export { fromFileUrl } from "npm:deno-std@1.4.0/path/posix/from_file_url.js";
// @ts-types="./types.d.ts"
export { isAbsolute } from "npm:deno-std@1.4.0/path/posix/is_absolute.js";
// @ts-types="./types.d.ts"
export { join } from "npm:deno-std@1.4.0/path/posix/join.js";
// @ts-types="./types.d.ts"
export { normalize } from "npm:deno-std@1.4.0/path/posix/normalize.js";
// @ts-types="./types.d.ts"
export { relative } from "npm:deno-std@1.4.0/path/posix/relative.js";
// @ts-types="./types.d.ts"
export { resolve } from "npm:deno-std@1.4.0/path/posix/resolve.js";
// @ts-types="./types.d.ts"
export { toFileUrl } from "npm:deno-std@1.4.0/path/posix/to_file_url.js";
