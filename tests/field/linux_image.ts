/**
 * A Linux to boot: Debian's kernel and an initramfs, made of Debian's packages and kept in a cache outside of the tree.
 *
 * APT resolves the packages as for an empty system, so no name of a library or of a release stands here. Nothing is
 * installed, and root is needed only where APT has no package lists yet.
 */
import { basename, fromFileUrl } from "@std/path";
import { runTool, runToolOk } from "../support/tools.ts";
import { CannotRun } from "./scenario.ts";

/** The files that QEMU boots. */
export interface LinuxImage {
  readonly kernel: string;
  readonly initramfs: string;
}

const PACKAGES = [
  ...["linux-image-amd64", "busybox-static", "dash", "kmod", "udev"],
  ...["open-iscsi", "sg3-utils", "multipath-tools", "e2fsprogs", "xfsprogs"],
  ...["util-linux", "lvm2", "thin-provisioning-tools", "nfs-kernel-server", "nfs-common", "drbd-utils"],
];

/** Packages for maintainer scripts, and for programs that no scenario runs. */
const UNUSED = /^(?:dpkg|lib.*-perl|libicu|libperl|libpython|passwd|perl|python)/;

/** Parts of packages that no program here reads. */
const UNUSED_PATHS = ["./usr/share/*", "./usr/lib/*/gconv/*", "./usr/include/*"];

/** Modules of the kernel; those that they depend on are added. */
const MODULES = [
  ...["virtio_pci", "virtio_console", "virtio_net"],
  ...["iscsi_tcp", "sd_mod", "sg", "crc32c_generic", "crct10dif_generic", "crct10dif_common"],
  ...["ext4", "xfs", "dm_mod", "dm_multipath", "dm_round_robin", "dm_service_time", "scsi_dh_alua"],
  ...["virtio_blk", "virtio_scsi", "dm_thin_pool", "nfsd", "nfsv4", "drbd"],
];

const INIT = fromFileUrl(new URL("guest/init", import.meta.url));
const DOWNLOAD_LIMIT_MS = 240_000;

/** Returns the image, built now when the cache has none for this source. */
export async function linuxImage(): Promise<LinuxImage> {
  if (Deno.build.arch !== "x86_64") throw new CannotRun("the guest is an x86-64 machine; use one");
  const cache = cacheFolder();
  Deno.mkdirSync(cache, { recursive: true });
  using lock = Deno.openSync(`${cache}/lock`, { create: true, write: true });
  await lock.lock(true);
  const folder = `${cache}/linux-${await sourceHash()}`;
  const image = { kernel: `${folder}/vmlinuz`, initramfs: `${folder}/initramfs` };
  if (exists(folder)) return image;
  for (const { name, isDirectory } of Deno.readDirSync(cache)) {
    if (isDirectory) Deno.removeSync(`${cache}/${name}`, { recursive: true });
  }
  const work = Deno.makeTempDirSync({ dir: cache, prefix: "build-" });
  try {
    Deno.mkdirSync(`${work}/image`);
    await build(work, `${work}/image`);
    Deno.renameSync(`${work}/image`, folder);
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
  return image;
}

function cacheFolder(): string {
  const home = Deno.env.get("HOME");
  const base = Deno.env.get("XDG_CACHE_HOME") ?? (home === undefined ? undefined : `${home}/.cache`);
  return `${base ?? `/tmp/cache-${Deno.uid()}`}/iscsi-field`;
}

async function sourceHash(): Promise<string> {
  const source = Deno.readTextFileSync(fromFileUrl(import.meta.url)) + Deno.readTextFileSync(INIT);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(source));
  return new Uint8Array(hash).toHex().slice(0, 16);
}

/** Makes the two files of an image. */
async function build(work: string, image: string): Promise<void> {
  const root = `${work}/root`;
  for (const folder of ["bin", "sbin", "lib", "lib64"]) {
    Deno.mkdirSync(`${root}/usr/${folder}`, { recursive: true });
    Deno.symlinkSync(`usr/${folder}`, `${root}/${folder}`);
  }
  const packages = await download(`${work}/packages`);
  for (const path of packages) await unpack(path, root);
  const release = [...Deno.readDirSync(`${root}/usr/lib/modules`)][0]!.name;
  Deno.copyFileSync(`${root}/boot/vmlinuz-${release}`, `${image}/vmlinuz`);
  Deno.removeSync(`${root}/boot`, { recursive: true });
  await keepModules(root, release);
  Deno.copyFileSync(INIT, `${root}/init`);
  Deno.chmodSync(`${root}/init`, 0o755);
  const pack = 'cd "$1" && find . | usr/bin/busybox cpio -o -H newc -R 0:0 >"$2"';
  await runToolOk("sh", ["-c", pack, "sh", root, `${image}/initramfs`]);
}

/** Downloads the packages and all that they depend on; returns the files of those that are used. */
async function download(folder: string): Promise<string[]> {
  Deno.mkdirSync(`${folder}/partial`, { recursive: true });
  Deno.writeTextFileSync(`${folder}/status`, "");
  const options = {
    "Dir::State::status": `${folder}/status`,
    "Dir::Cache::archives": `${folder}/`,
    "Dir::Cache::pkgcache": "",
    "Dir::Cache::srcpkgcache": "",
    "Debug::NoLocking": "1",
    "APT::Sandbox::User": "root",
  };
  const args = [
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    ...["-qq", "--yes", "--no-install-recommends", "--download-only", "install", ...PACKAGES],
  ];
  const limit = { timeLimitMs: DOWNLOAD_LIMIT_MS };
  let result = await runTool("apt-get", args, limit);
  if (result.code !== 0 && Deno.uid() === 0) {
    await runTool("apt-get", ["-qq", "update"], limit);
    result = await runTool("apt-get", args, limit);
  }
  if (result.code !== 0) {
    throw new CannotRun(`APT cannot download ${PACKAGES[0]}; run "apt-get update" as root: ${result.stderr}`);
  }
  return [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".deb") && !UNUSED.test(name)).map((name) => `${folder}/${name}`);
}

async function unpack(path: string, root: string): Promise<void> {
  const excluded = UNUSED_PATHS.map((pattern) => `--exclude='${pattern}'`).join(" ");
  const script = `dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink ${excluded}`;
  await runToolOk("sh", ["-c", script, "sh", path, root]);
}

/** Removes the modules that are neither listed nor needed by others. */
async function keepModules(root: string, release: string): Promise<void> {
  const folder = `${root}/usr/lib/modules/${release}`;
  await indexModules(root, release);
  const needs = new Map<string, string[]>();
  for (const line of Deno.readTextFileSync(`${folder}/modules.dep`).split("\n")) {
    const [path = "", others = ""] = line.split(":");
    if (path !== "") needs.set(path, others.split(" ").filter((other) => other !== ""));
  }
  const kept = new Set<string>();
  for (const [path, others] of needs) {
    const name = basename(path).replace(/\.ko.*$/, "").replaceAll("-", "_");
    if (MODULES.includes(name)) { for (const each of [path, ...others]) kept.add(each); }
  }
  for (const path of needs.keys()) if (!kept.has(path)) Deno.removeSync(`${folder}/${path}`);
  await indexModules(root, release);
}

/** Runs the packages' own depmod, with their libraries. */
async function indexModules(root: string, release: string): Promise<void> {
  await runToolOk(`${root}/usr/lib64/ld-linux-x86-64.so.2`, [
    ...["--argv0", "depmod", "--library-path", `${root}/usr/lib/x86_64-linux-gnu`],
    ...[`${root}/usr/bin/kmod`, "-b", root, release],
  ]);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
