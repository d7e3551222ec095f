import { assertEquals } from "@std/assert";
import { releaseSpace, reserveSpace } from "../../lib/provision/space_reserve.ts";
import { reserveFileOf, stateFolderOf } from "../../lib/provision/state_folder.ts";
import { WatchedDisk } from "../support/watched_disk.ts";
import { withScratch, writeAt } from "./scratch.ts";

Deno.test("reserveSpace() fills 1 MB with bytes that are no hole, and puts them on the disk", () =>
  withScratch((storage) => {
    Deno.mkdirSync(stateFolderOf(storage));
    using disk = new WatchedDisk();
    reserveSpace(storage);
    const bytes = Deno.readFileSync(reserveFileOf(storage));
    assertEquals([bytes.length, bytes.includes(0)], [2 ** 20, false]);
    assertEquals(Deno.statSync(reserveFileOf(storage)).mode! & 0o777, 0o600);
    assertEquals(disk.syncsOf(reserveFileOf(storage)), 1);
  }));

Deno.test("reserveSpace() leaves a whole reserve alone, and completes one that ends early", () =>
  withScratch((storage) => {
    Deno.mkdirSync(stateFolderOf(storage));
    const path = reserveFileOf(storage);
    reserveSpace(storage);
    writeAt(path, 0, "kept");
    reserveSpace(storage);
    assertEquals(new TextDecoder().decode(Deno.readFileSync(path).subarray(0, 4)), "kept");
    Deno.truncateSync(path, 2 ** 20 - 1);
    reserveSpace(storage);
    assertEquals(Deno.statSync(path).size, 2 ** 20);
  }));

Deno.test("releaseSpace() removes the reserve, and accepts that there is none", () =>
  withScratch((storage) => {
    releaseSpace(storage);
    Deno.mkdirSync(stateFolderOf(storage));
    reserveSpace(storage);
    releaseSpace(storage);
    assertEquals([...Deno.readDirSync(stateFolderOf(storage))], []);
  }));
