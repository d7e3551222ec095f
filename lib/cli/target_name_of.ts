import { foldIscsiName } from "../config/iscsi_name.ts";
import type { NodeSnapshot } from "../iscsi/node/node_snapshot.ts";

/** The iSCSI name of a target that is served, by its name in the conf or in full; undefined when there is none. */
export function targetNameOf({ targets }: Pick<NodeSnapshot, "targets">, name: string): string | undefined {
  const folded = foldIscsiName(name);
  return targets.find((target) => target.name === name.toLowerCase() || target.iscsiName === folded)
    ?.iscsiName;
}
