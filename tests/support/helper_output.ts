/** Output of helper programs, for tests of the code that reads it. */

/** The output of a program. */
export interface HelperOutput {
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Runs `test` while every program that is run, to its end, prints this and nothing is run. */
export function withHelperOutput({ stdout = "", stderr = "" }: HelperOutput, test: () => void): void {
  const { Command } = Deno;
  const [out, err] = [stdout, stderr].map((text) => new TextEncoder().encode(text)) as [
    Uint8Array,
    Uint8Array,
  ];
  const success = stderr === "";
  Deno.Command = class {
    outputSync(): unknown {
      return { success, stdout: out, stderr: err };
    }
  } as unknown as typeof Deno.Command;
  try {
    test();
  } finally {
    Deno.Command = Command;
  }
}
