import { assertEquals } from "@std/assert";
import {
  describeHolderPid,
  describeHolderProcess,
  formatLockRecord,
  parseLockRecord,
} from "../../lib/provision/lock_record.ts";

Deno.test("parseLockRecord() reads what formatLockRecord() writes, and the text of earlier versions", () => {
  const record = { pid: 4711, host: "alpha", since: "2026-11-30T12:00:00.000Z" };
  assertEquals(formatLockRecord(record), "4711\nhost alpha\nsince 2026-11-30T12:00:00.000Z\n");
  assertEquals(parseLockRecord(formatLockRecord(record)), record);
  const unknown = { ...record, host: undefined };
  assertEquals(parseLockRecord(formatLockRecord(unknown)), unknown);
  assertEquals(parseLockRecord("12\n"), { pid: 12, host: undefined, since: undefined });
  for (const text of ["", "\n", "host alpha\n", "-1\n", "0\n", "12x\n"]) {
    assertEquals(parseLockRecord(text), undefined, text);
  }
});

Deno.test("describeHolderProcess() and describeHolderPid() name the host of a process elsewhere", () => {
  const rows = [
    [{ holderPid: undefined }, "another process", ""],
    [{ holderPid: 7 }, "process 7", " (pid 7)"],
    [{ holderPid: 7, holderHost: "b" }, 'process 7 on host "b"', ' (pid 7 on host "b")'],
    [
      { holderPid: undefined, holderHost: "b\x1b" },
      'another process on host "b\\u001b"',
      ' (on host "b\\u001b")',
    ],
  ] as const;
  for (const [holder, subject, brackets] of rows) {
    assertEquals([describeHolderProcess(holder), describeHolderPid(holder)], [subject, brackets]);
  }
});
