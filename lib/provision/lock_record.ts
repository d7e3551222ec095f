/**
 * The text in a lock's file: the process that took the lock last. It means nothing once the lock is free.
 *
 * ```text
 * 4711
 * host alpha
 * since 2026-11-30T23:40:00.000Z
 * ```
 *
 * Earlier versions wrote only the first line, and read no other.
 */
import { quote } from "../config/diagnostics.ts";

/** A process that has taken a lock. */
export interface LockRecord {
  /** The process number on its host. */
  readonly pid: number;
  /** Undefined where the process did not know it, or is of an earlier version. */
  readonly host: string | undefined;
  /** The time in ISO 8601 at which it took the lock; undefined like `host`. */
  readonly since: string | undefined;
}

/** The process that holds a lock. */
export interface LockHolder {
  /** Its number, on the host where it runs; undefined when it is unknown. */
  readonly holderPid: number | undefined;
  /** The host on which it runs; absent when that is this one, or unknown. */
  readonly holderHost?: string;
}

/** Formats the text of a lock's file. */
export function formatLockRecord({ pid, host, since }: LockRecord): string {
  const lines = [`${pid}`, ...(host === undefined ? [] : [`host ${host}`]), `since ${since}`];
  return lines.map((line) => `${line}\n`).join("");
}

/** Parses the text of a lock's file; returns undefined for anything else, such as the empty text of a full disk. */
export function parseLockRecord(text: string): LockRecord | undefined {
  const [first = "", ...lines] = text.split("\n");
  if (!/^[1-9]\d*$/.test(first)) return undefined;
  const valueOf = (name: string): string | undefined =>
    lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
  return { pid: Number(first), host: valueOf("host"), since: valueOf("since") };
}

/** Describes the holder of a lock as the subject of a sentence. */
export function describeHolderProcess({ holderPid, holderHost }: LockHolder): string {
  const process = holderPid === undefined ? "another process" : `process ${holderPid}`;
  return `${process}${onHost(holderHost)}`;
}

/** Describes the holder of a lock in brackets, after a space; empty when nothing is known. */
export function describeHolderPid({ holderPid, holderHost }: LockHolder): string {
  if (holderPid === undefined) return holderHost === undefined ? "" : ` (${onHost(holderHost).trimStart()})`;
  return ` (pid ${holderPid}${onHost(holderHost)})`;
}

function onHost(host: string | undefined): string {
  return host === undefined ? "" : ` on host ${quote(host)}`;
}
