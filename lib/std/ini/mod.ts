/** The part of `jsr:@std/ini` that this project uses. It is not published on npm, so it is written here anew. */
export { parse, type ParseOptions, type ReviverFunction } from "./parse.ts";
