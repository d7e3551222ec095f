/** SendTargets (RFC 7143, Appendix C): the targets that an initiator may use, and their addresses. */
import { type Requester, requester } from "../../access/policy.ts";
import { targetPortals } from "../../access/target_portals.ts";
import { formatPortal } from "../../bytes/network.ts";
import type { TargetConfig } from "../../config/config.ts";
import { foldIscsiName } from "../../config/iscsi_name.ts";
import type { ConnectionEnds } from "../byte_stream.ts";
import type { KeyValue } from "../pdu/text.ts";
import type { Session } from "../session/session.ts";
import { TARGET_PORTAL_GROUP_TAG } from "../target.ts";
import type { ServedTargets } from "./served_targets.ts";

/** The connection that SendTargets arrives over. */
interface Asking {
  readonly requester: Requester;
  readonly localPort: number;
}

/** Returns the answer to SendTargets, or undefined when the session does not support the value. */
export function sendTargets(
  targets: ServedTargets,
  ends: ConnectionEnds,
  { identity: { initiatorName, targetName: own }, target }: Session,
  value: string,
): readonly KeyValue[] | undefined {
  const asking = { requester: requester(initiatorName, ends), localPort: ends.localPort };
  // Only a discovery session may ask for other targets than its own.
  if (own !== undefined && target !== undefined) {
    return value === "" || foldIscsiName(value) === own
      ? targetRecord(targets, own, target.config, asking)
      : undefined;
  }
  if (value === "") return undefined;
  const wanted = value === "All" ? allTargets(targets) : targetNamed(targets, foldIscsiName(value));
  return wanted.filter(([, config]) => targets.decide(config, asking.requester).allowed)
    .flatMap(([name, config]) => targetRecord(targets, name, config, asking));
}

/** Returns each target once, by its own name and not by its alias. */
function allTargets(targets: ServedTargets): [string, TargetConfig][] {
  return targets.named().filter(([name, config]) => name === config.iscsiName);
}

/** Returns the target with a name, which may be its alias. */
function targetNamed(targets: ServedTargets, name: string): [string, TargetConfig][] {
  const config = targets.configOf(name);
  return config === undefined ? [] : [[name, config]];
}

function targetRecord(
  targets: ServedTargets,
  name: string,
  config: TargetConfig,
  { requester, localPort }: Asking,
): readonly KeyValue[] {
  const port = targets.isElsewhere(config) ? config.port : localPort;
  return [
    ["TargetName", name],
    ...targetPortals(config, requester, targets.interfaces).map((address): KeyValue => [
      "TargetAddress",
      `${formatPortal(address, port)},${TARGET_PORTAL_GROUP_TAG}`,
    ]),
  ];
}
