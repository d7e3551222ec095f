/** The part of `jsr:@std/cli/parse-args` that this project uses, over the same code as published on npm. */
// @ts-types="./types.d.ts"
export { parseArgs } from "npm:deno-std@1.4.0/cli/parse_args.js";
export type { Args, ParseOptions } from "./types.d.ts";
