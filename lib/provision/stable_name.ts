/** The names of block devices that stay the same when the machine starts again, and on another machine. */
import { MAPPER_FOLDER } from "./block_device.ts";
import { unescapeRaw } from "./raw_text.ts";
import { runHelper } from "./run_helper.ts";

/** Names that the kernel gives in the order in which it finds devices. */
const UNSTABLE =
  /^\/dev\/(dm-\d+|(sd|hd|vd|xvd)[a-z]+\d*|nvme\d+n\d+(p\d+)?|(mmcblk|md|nbd|rbd)\d+(p\d+)?|fd\d+|sr\d+)$/;

const BY_ID = "/dev/disk/by-id";

/** Properties of a device, as `lsblk` lists them; empty where it knows nothing. */
export interface NamedProperties {
  readonly type: string;
  readonly name: string;
  readonly wwn: string;
  readonly model: string;
  readonly serial: string;
  readonly partitionUuid: string;
}

/** Reports whether a path may lead to another device when the machine starts again. */
export function isUnstableName(path: string): boolean {
  return UNSTABLE.test(path);
}

/**
 * Returns a stable path of the device at an unstable one; undefined when none is found.
 *
 * @throws {ProvisionError} when `lsblk` cannot be run
 */
export function findStablePath(path: string): string | undefined {
  const columns = "MAJ:MIN,TYPE,NAME,WWN,MODEL,SERIAL,PARTUUID";
  const [number = "", ...texts] = list(path, columns);
  const [type = "", name = "", wwn = "", model = "", serial = "", partitionUuid = ""] = texts;
  const candidates = stablePathsOf(path, { type, name, wwn, model, serial, partitionUuid });
  return candidates.find((candidate) => number !== "" && list(candidate, "MAJ:MIN")[0] === number);
}

/** Returns the paths that udev(7) may have given a device, the best first. */
export function stablePathsOf(
  path: string,
  { type, name, wwn, model, serial, partitionUuid }: NamedProperties,
): string[] {
  if (["lvm", "dm", "mpath", "crypt"].includes(type)) return [`${MAPPER_FOLDER}/${name}`];
  const isPartition = type === "part";
  const part = isPartition ? `-part${/\d+$/.exec(path)?.[0] ?? ""}` : "";
  const plain = (text: string): string => text.trim().replaceAll(/[^\w.:+-]+/g, "_");
  const product = `${plain(model)}_${plain(serial)}`;
  return [
    ...(wwn === "" ? [] : [`wwn-${wwn}`, `nvme-${wwn}`]),
    ...(serial === "" ? [] : [`ata-${product}`, `nvme-${product}`, `virtio-${plain(serial)}`]),
  ].map((id) => `${BY_ID}/${id}${part}`)
    .concat(isPartition && partitionUuid !== "" ? [`/dev/disk/by-partuuid/${partitionUuid}`] : []);
}

/** Returns the columns of the device at a path; none where there is no device. */
function list(path: string, columns: string): string[] {
  const args = ["--nodeps", "--raw", "--noheadings", "--output", columns, path];
  return runHelper("lsblk", args).stdout.trimStart().split(" ").map((text) => unescapeRaw(text).trim());
}
