/** The part of `jsr:@std/path` that this project uses, over the same code as published on npm. */
// @ts-types="./types.d.ts"
export {
  basename,
  dirname,
  fromFileUrl,
  isAbsolute,
  join,
  normalize,
  relative,
  resolve,
  toFileUrl,
} from "npm:deno-std@1.4.0/path/mod.js";
