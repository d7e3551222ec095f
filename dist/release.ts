/**
 * Makes `dist/release`: an archive for each kind of machine, and their sums: `deno task release`.
 *
 * An archive has the program and the files that it carries, for those who want to read or package them. The same
 * source, Deno and bases give the same archives: names are sorted, owners and times fixed.
 */
import { dirname, join } from "@std/path";
import denoConfig from "../deno.json" with { type: "json" };
import { COMMANDS } from "../lib/cli/commands.ts";
import { COMPLETIONS } from "../lib/cli/completion.ts";
import { SHIPPED_FILES } from "../lib/cli/shipped_files.ts";
import { compileProgram, explainBases, ROOT, withBundle } from "./compile.ts";
import { type Machine, MACHINE_NAMES, readMachine, thisMachine } from "./machines.ts";

const OUTPUT = "dist/release";

const USAGE = `Usage: deno task release [--base FILE]... [--machine ${MACHINE_NAMES.join("|")}]...
  --base     a base of "deno compile"; the file says for which machine. Without one it is downloaded
  --machine  make the archive of this machine only`;

/** The machines of a release, and their bases. */
export interface Release {
  readonly machines: readonly Machine[];
  readonly bases: Readonly<Partial<Record<Machine, string>>>;
}

/** Reads the options; returns a message about an invalid one. */
export function readRelease(
  args: readonly string[],
  machineOf: (path: string) => Machine | undefined = readMachine,
): Release | string {
  const bases: Partial<Record<Machine, string>> = {};
  const machines: Machine[] = [];
  for (let index = 0; index < args.length; index += 2) {
    const [name, value] = [args[index]!, args[index + 1]];
    if (name !== "--base" && name !== "--machine") return `Unknown option "${name}"`;
    if (value === undefined) return `Missing value of ${name}`;
    const machine = name === "--base" ? machineOf(value) : MACHINE_NAMES.find((known) => known === value);
    if (machine === undefined) {
      return name === "--base"
        ? `Cannot use --base "${value}": it is no program for ${MACHINE_NAMES.join(" or ")}`
        : `Unknown machine "${value}"`;
    }
    if (name === "--base") bases[machine] = value;
    else machines.push(machine);
  }
  return { machines: machines.length === 0 ? MACHINE_NAMES : machines, bases };
}

/** A file of an archive. */
export interface ArchivedFile {
  readonly path: string;
  readonly mode: number;
  readonly content: { readonly text: string } | { readonly copyOf: string };
}

const FILE_MODE = 0o644;
const PROGRAM_MODE = 0o755;

/** The files of the repository that are archived besides those that the program carries. */
const OTHER_FILES = ["LICENSE", "CHANGELOG.md", "README.md"];

const LICENSES = "dist/licenses";

/** Returns the files of an archive besides the program. */
export function archivedFiles(): ArchivedFile[] {
  const copy = (path: string, from: string): ArchivedFile => {
    const isProgram = ((Deno.statSync(join(ROOT, from)).mode ?? 0) & 0o100) !== 0;
    return { path, mode: isProgram ? PROGRAM_MODE : FILE_MODE, content: { copyOf: from } };
  };
  const licenses = [...Deno.readDirSync(join(ROOT, LICENSES))].map(({ name }) => name).toSorted();
  return [
    { path: "INSTALL", mode: FILE_MODE, content: { text: INSTRUCTIONS } },
    ...OTHER_FILES.map((name) => copy(name, name)),
    ...SHIPPED_FILES.map((name) => copy(name, `dist/${name}`)),
    ...licenses.map((name) => copy(`licenses/${name}`, `${LICENSES}/${name}`)),
    ...Object.entries(COMPLETIONS).map(([shell, script]): ArchivedFile => ({
      path: shell === "zsh" ? "completions/_iscsi" : `completions/iscsi.${shell}`,
      mode: FILE_MODE,
      content: { text: script(COMMANDS) },
    })),
  ];
}

const INSTRUCTIONS = `As root:

    ./iscsi install --dry-run     # prints which files it would install where
    ./iscsi install               # installs them, and prints what remains to be done

The program is all that is needed; it carries the other files of this archive. "iscsi unit" prints a
systemd unit with the rights that the conf needs. iscsi.8 explains how to remove it all: man ./iscsi.8
`;

/** Writes files below a folder, whatever the umask. */
export function writeFiles(folder: string, files: readonly ArchivedFile[]): void {
  for (const { path, mode, content } of files) {
    const at = join(folder, path);
    Deno.mkdirSync(dirname(at), { recursive: true });
    if ("text" in content) Deno.writeTextFileSync(at, content.text);
    else Deno.copyFileSync(join(ROOT, content.copyOf), at);
    Deno.chmodSync(at, mode);
  }
}

/** Seconds since 1970 of every file; 0 would make tar warn. */
const TIME_SECONDS = Date.UTC(2000, 0, 1) / 1000;

/** Archives a folder within another: the same files give the same bytes. */
export async function archive(parent: string, name: string, output: string): Promise<void> {
  await run("tar", [
    ...["--create", "--format=ustar", "--sort=name", `--mtime=@${TIME_SECONDS}`],
    ...["--owner=0", "--group=0", "--numeric-owner", "--mode=go-w,a+rX"],
    ...["--use-compress-program=gzip --no-name", `--file=${output}`, `--directory=${parent}`, name],
  ]);
}

/** Returns the sums of files in a folder, as `sha256sum --check` takes them. */
export async function sums(folder: string, names: readonly string[]): Promise<string> {
  const lines = names.map(async (name) => {
    const digest = await crypto.subtle.digest("SHA-256", Deno.readFileSync(join(folder, name)));
    return `${new Uint8Array(digest).toHex()}  ${name}\n`;
  });
  return (await Promise.all(lines)).join("");
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args: [...args], stdin: "null" }).spawn().status;
  if (!success) throw new Error(`${program} failed`);
}

/** Makes all archives; returns true if that succeeded. */
async function release({ machines, bases }: Release): Promise<boolean> {
  const output = join(ROOT, OUTPUT);
  Deno.mkdirSync(output, { recursive: true });
  const names: string[] = [];
  const isDone = await withBundle(async (folder) => {
    for (const machine of machines) {
      const name = `iscsi-${denoConfig.version}-linux-${machine}`;
      const stage = Deno.makeTempDirSync({ prefix: "iscsi-release-" });
      try {
        const program = join(stage, name, "iscsi");
        writeFiles(join(stage, name), archivedFiles());
        if (!await compileProgram({ folder, machine, base: bases[machine], output: program })) {
          console.error(
            `For a release name it with --base FILE instead, one for each of ${machines.join(", ")}`,
          );
          return false;
        }
        await archive(stage, name, join(output, `${name}.tar.gz`));
        names.push(`${name}.tar.gz`);
      } finally {
        Deno.removeSync(stage, { recursive: true });
      }
    }
    return true;
  });
  if (isDone !== true) return false;
  const text = await sums(output, names);
  Deno.writeTextFileSync(join(output, "SHA256SUMS"), text);
  console.log(`${OUTPUT}/SHA256SUMS:\n${text.trimEnd()}`);
  return true;
}

if (import.meta.main) {
  const options = readRelease(Deno.args);
  if (typeof options === "string") {
    console.error(`${options}\n${USAGE}\n\n${explainBases(thisMachine())}`);
    Deno.exit(2);
  }
  Deno.exit(await release(options) ? 0 : 1);
}
