import { assertEquals } from "@std/assert";
import { MACHINE_NAMES, machineOf, MACHINES, readMachine, thisMachine } from "../../dist/machines.ts";
import { elfHead } from "./elf_head.ts";

Deno.test("machineOf() knows each machine by the head of its programs", () => {
  for (const machine of MACHINE_NAMES) assertEquals(machineOf(elfHead(machine)), machine);
});

Deno.test("machineOf() knows no other file: short, of another format, class, byte order or machine", () => {
  const spoiled = (offset: number, value: number): Uint8Array => {
    const head = elfHead("x86_64");
    head[offset] = value;
    return head;
  };
  const others = [
    new Uint8Array(0),
    elfHead("x86_64").subarray(0, 19),
    new TextEncoder().encode("#!/bin/sh\n"),
  ];
  for (
    const head of [...others, spoiled(0, 0), spoiled(4, 1), spoiled(5, 2), spoiled(18, 3), spoiled(19, 1)]
  ) {
    assertEquals(machineOf(head), undefined);
  }
});

Deno.test("readMachine() recognises Deno itself as a program for this machine", () => {
  assertEquals(readMachine(Deno.execPath()), thisMachine());
  assertEquals(MACHINES[thisMachine()].target, Deno.build.target);
});
