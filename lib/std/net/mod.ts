/** The part of `jsr:@std/net` that this project uses, over the same code as published on npm. */
// @ts-types="./types.d.ts"
export { getAvailablePort } from "npm:deno-std@1.1.11/net/mod.js";
