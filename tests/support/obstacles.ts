/** Reasons why a test cannot run on this machine: missing privileges, or a missing /sys. */
import { errorMessage } from "../../lib/base/error_message.ts";

/** Registers a test; an obstacle makes it ignored, with the reason in its name. */
export function testUnless(
  obstacle: string | undefined,
  name: string,
  fn: () => void | Promise<void>,
): void {
  if (obstacle === undefined) Deno.test(name, fn);
  else Deno.test({ name: `${name} (${obstacle})`, ignore: true, fn });
}

/** Returns the reason why this process may not mount; undefined when it may, as with CAP_SYS_ADMIN. */
export function findMountObstacle(): string | undefined {
  if (Deno.uid() !== 0) return "takes root";
  return withFolder((folder) => {
    const { code, stderr } = run("mount", ["-t", "tmpfs", "none", folder]);
    if (code !== 0) return `cannot mount: ${stderr}`;
    run("umount", [folder]);
    return undefined;
  });
}

/** The command that runs a program with mounts of its own; a user other than root is root there. */
export const OWN_MOUNTS: readonly string[] = [
  ...["unshare", "--mount", "--propagation", "private"],
  ...(Deno.uid() === 0 ? [] : ["--map-root-user"]),
];

/** Returns the reason why no program can have mounts of its own here; undefined when one can. */
export function findOwnMountsObstacle(): string | undefined {
  const [program, ...args] = [...OWN_MOUNTS, "mount", "--bind", "/tmp", "/tmp"];
  const { code, stderr } = run(program!, args);
  return code === 0 ? undefined : `no mounts of its own: ${stderr}`;
}

/** Returns the reason why this process may not make device nodes; undefined when it may, as with CAP_MKNOD. */
export function findNodeObstacle(): string | undefined {
  return withFolder((folder) => {
    const { code, stderr } = run("mknod", [`${folder}/node`, "b", "7", "1048575"]);
    return code === 0 ? undefined : stderr;
  });
}

/** Returns the reason why `lsblk` cannot examine devices here; undefined when it can. */
export function findSysfsObstacle(): string | undefined {
  try {
    Deno.statSync("/sys/dev/block");
    return undefined;
  } catch {
    return "no /sys/dev/block";
  }
}

/** Returns the reason why no file can be attached to a loop device here; undefined when one can. */
export function findLoopObstacle(): string | undefined {
  return withFolder((folder) => {
    const image = `${folder}/image`;
    Deno.writeFileSync(image, new Uint8Array(4096));
    const { code, stdout, stderr } = run("losetup", ["--find", "--show", image]);
    if (code !== 0) return `no loop device: ${stderr}`;
    run("losetup", ["--detach", stdout]);
    return undefined;
  });
}

/** Returns the reason why this process cannot make network namespaces with cables; undefined when it can. */
export function findNamespaceObstacle(): string | undefined {
  const ends = ["type", "veth", "peer", "name", "veth1"];
  const name = `iscsi-${crypto.randomUUID().slice(0, 6)}`;
  const made = run("ip", ["netns", "add", name]);
  if (made.code !== 0) return `no network namespace: ${made.stderr}`;
  const { code, stderr } = run("ip", ["-netns", name, "link", "add", "veth0", ...ends]);
  run("ip", ["netns", "delete", name]);
  return code === 0 ? undefined : `no network cable: ${stderr}`;
}

/** Runs a program, which may be missing. Of its error messages, the first line is enough. */
function run(program: string, args: string[]): { code: number; stdout: string; stderr: string } {
  try {
    const { code, stdout, stderr } = new Deno.Command(program, { args }).outputSync();
    const [output, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
    return { code, stdout: output!, stderr: errors!.split("\n")[0]! };
  } catch (error) {
    return { code: 127, stdout: "", stderr: errorMessage(error) };
  }
}

function withFolder<Result>(use: (folder: string) => Result): Result {
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-" });
  try {
    return use(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
