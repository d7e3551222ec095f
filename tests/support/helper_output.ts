/** Output of helper programs, for tests of the code that reads it. */

/** The output of a program. */
export interface HelperOutput {
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Runs `test` while each program that is run to its end prints this, or what its words lead to, and nothing is run. */
export function withHelperOutput(
  output: HelperOutput | ((words: readonly string[]) => HelperOutput),
  test: () => void,
): void {
  const { Command } = Deno;
  Deno.Command = class {
    readonly #words: readonly string[];

    constructor(program: string, { args = [] }: { readonly args?: readonly string[] } = {}) {
      this.#words = [program, ...args];
    }

    outputSync(): unknown {
      const { stdout = "", stderr = "" } = typeof output === "function" ? output(this.#words) : output;
      const encoder = new TextEncoder();
      return { success: stderr === "", stdout: encoder.encode(stdout), stderr: encoder.encode(stderr) };
    }
  } as unknown as typeof Deno.Command;
  try {
    test();
  } finally {
    Deno.Command = Command;
  }
}
