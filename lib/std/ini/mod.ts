/** The part of `jsr:@std/ini` that this project uses. npm does not have it, so it is written here. */
export { parse, type ParseOptions, type ReviverFunction } from "./parse.ts";
