/** The TypeScript compiler, of the version that Deno itself type-checks with. */
export { default as ts } from "npm:typescript@6.0.3";
