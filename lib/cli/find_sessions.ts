import { foldIscsiName } from "../config/iscsi_name.ts";
import type { NodeSnapshot } from "../iscsi/node/node_snapshot.ts";
import type { SessionSnapshot } from "../iscsi/session/session_snapshot.ts";

/** Finds sessions by number, by the initiator's name, or by the target's name, as in the conf or in full. */
export function findSessions(node: NodeSnapshot, name: string): readonly SessionSnapshot[] {
  if (/^\d+$/.test(name)) return node.sessions.filter(({ tsih }) => tsih === Number(name));
  const targetName = targetNameOf(node, name);
  const folded = foldIscsiName(name);
  return node.sessions.filter((session) =>
    session.initiatorName === folded || (targetName !== undefined && session.targetName === targetName)
  );
}

/** Returns the iSCSI name of a served target, by its name in the conf or in full; undefined when there is none. */
export function targetNameOf({ targets }: Pick<NodeSnapshot, "targets">, name: string): string | undefined {
  const folded = foldIscsiName(name);
  return targets.find((target) => target.name === name.toLowerCase() || target.iscsiName === folded)
    ?.iscsiName;
}
