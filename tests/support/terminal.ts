/** Programs on a terminal that closes. */

/** Milliseconds between two looks for the file that a program leaves when it ends, and the most looks. */
const LOOK_INTERVAL_MS = 20;
const LOOKS_MAX = 1500;

/**
 * Runs a command on a terminal of its own until it has printed `until`, and closes the terminal.
 *
 * @param options.folder where notes can be left
 * @returns what the command printed until then, and its exit code
 * @throws when it ends before, or goes on without its terminal
 */
export async function runAndHangUp(
  command: readonly string[],
  { folder, until }: { readonly folder: string; readonly until: string },
): Promise<{ readonly output: string; readonly code: number }> {
  const codeFile = `${folder}/exit-code`;
  const note = `echo $? > ${codeFile}.new; mv ${codeFile}.new ${codeFile}`;
  // The outer shell ends with the terminal, and all in front of it get SIGHUP. The inner one outlives that, and the
  // command has SIGHUP as programs usually have it.
  const shell = `(trap : HUP; ${command.join(" ")}; ${note}); :`;
  await using terminal = new Deno.Command("script", {
    args: ["--quiet", "--command", shell, "/dev/null"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = terminal.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  while (!output.includes(until)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`It ended before it printed "${until}": ${output}`);
    output += value;
  }
  terminal.kill("SIGKILL");
  await reader.cancel();
  await terminal.stdin.close();
  await untilThere(codeFile);
  return { output, code: Number(await Deno.readTextFile(codeFile)) };
}

/**
 * Waits until there is a file.
 *
 * @throws when there is none after a long time
 */
export async function untilThere(path: string): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    const isThere = await Deno.stat(path).then(() => true, () => false);
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL_MS));
  }
  throw new Error(`There is no "${path}"`);
}
