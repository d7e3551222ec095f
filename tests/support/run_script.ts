import { fromFileUrl } from "@std/path";

const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** Options for running a script. */
export interface ScriptOptions {
  /** The flags of Deno that give the rights; none by default. */
  readonly rights?: readonly string[];
  /** A program, with arguments, that runs Deno. */
  readonly wrapper?: readonly string[];
}

/**
 * Runs a script in a process of its own, which has only the given rights and an empty environment. Returns what it
 * prints, standard output first. A name in the script that begins with `lib/` and ends with `.ts` is a module of the
 * house.
 */
export async function runScript(
  script: string,
  { rights = [], wrapper = [] }: ScriptOptions = {},
): Promise<string> {
  const code = script.replaceAll(
    /"(lib\/[^"]+\.ts)"/g,
    (_all, path: string) => JSON.stringify(import.meta.resolve(`../../${path}`)),
  );
  const [program, ...args] = [
    ...wrapper,
    ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--config", CONFIG, ...rights],
    `data:text/javascript,${encodeURIComponent(code)}`,
  ];
  const { stdout, stderr } = await new Deno.Command(program!, { args, clearEnv: true, stdin: "null" })
    .output();
  return [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
}
