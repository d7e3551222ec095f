/** A LUN that moves here keeps the name by which its initiators know it, and a copy gets a name of its own. */
import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "@std/assert";
import { Initiator } from "../support/initiator.ts";
import { inquiry, testUnitReady } from "../support/initiator_cdb.ts";
import { runIscsi } from "../support/server_process.ts";
import { untilAsked } from "../support/until.ts";
import { runToolOk, testWithTools } from "../support/tools.ts";
import { APTPL, EXCLUSIVE_ACCESS, REGISTER, RESERVE, reserveOut } from "./_reserve_out.ts";
import { Appliance } from "./appliance.ts";
import { Tgt, TGT_TOOLS } from "./tgt.ts";

const DISK = "iqn.2002-08.info.netmanager:disk";
const KEY = "ffffffffffffff01";

/** DESIGNATOR TYPE of NAA, and CODE SET binary, for a logical unit. */
const NAA_DESIGNATOR = "0103";

/** The marks of a LUN that a host reads, and that the recipes of iscsi.conf(5) take over. */
interface Marks {
  readonly vendor: string;
  readonly product: string;
  readonly serial: string;
  readonly naas: readonly string[];
}

async function readMarks(initiator: Initiator, lun: number): Promise<Marks> {
  await initiator.command({ cdb: testUnitReady(), lun });
  const read = async (page?: number): Promise<Uint8Array> =>
    (await initiator.command({ cdb: inquiry(255, page), lun, read: 255 })).data;
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes).trim();
  const [standard, serial] = [await read(), await read(0x80)];
  return {
    vendor: text(standard.subarray(8, 16)),
    product: text(standard.subarray(16, 32)),
    serial: text(serial.subarray(4)),
    naas: naasOf(await read(0x83)),
  };
}

function naasOf(page: Uint8Array): string[] {
  const naas: string[] = [];
  for (let at = 4; at < page.length; at += 4 + page[at + 3]!) {
    const isNaa = page.subarray(at, at + 2).toHex() === NAA_DESIGNATOR;
    if (isNaa) naas.push(page.subarray(at + 4, at + 4 + page[at + 3]!).toHex());
  }
  return naas;
}

async function marksOf(
  appliance: Appliance,
  options: { lun?: number; targetName?: string } = {},
): Promise<Marks> {
  const { lun = 0, targetName = DISK } = options;
  await using initiator = await appliance.login({ targetName });
  return await readMarks(initiator, lun);
}

testWithTools(
  "a LUN that moves here from tgt keeps the marks by which its hosts know it",
  TGT_TOOLS,
  async () => {
    let theirs: Marks;
    {
      await using tgt = await Tgt.start(16 * 1024 ** 2);
      await using initiator = await Initiator.connect(tgt.port);
      await initiator.login({ targetName: tgt.targetName });
      theirs = await readMarks(initiator, 1);
    }
    const [naa] = theirs.naas;
    const { vendor, product, serial } = theirs;
    using appliance = Appliance.create(
      `[disk]\nsize=16MB\nvendor=${vendor}\nproduct=${product}\nserial=${serial}\nnaa=${naa}\n`,
    );
    await using _server = await appliance.serve();
    assertEquals(await marksOf(appliance), { ...theirs, naas: [naa!] });
  },
);

Deno.test("naa is set and removed: another disk for initiators, with the state of the same one", async () => {
  const naa = "6001405a1b2c3d4e5f60718293a4b5c6";
  const options = "[disk]\nsize = 16MB 16MB\n";
  using appliance = Appliance.create(options);
  await using server = await appliance.serve();
  const [first, second] = [await marksOf(appliance), await marksOf(appliance, { lun: 1 })];
  {
    await using initiator = await appliance.login({ targetName: DISK });
    await initiator.command({ cdb: testUnitReady() });
    await reserveOut(initiator, 0, REGISTER, { newKey: KEY, flags: APTPL });
    await reserveOut(initiator, 0, RESERVE, { key: KEY, type: EXCLUSIVE_ACCESS });
  }
  const holders = async (): Promise<number> =>
    JSON.parse((await runIscsi(["reservations", "--json", "--conf", appliance.confPath])).stdout)[0]
      .registrations
      .length;
  assertEquals(await holders(), 1);
  appliance.writeConf(`${options}naa = ${naa}\n`);
  const reload = await runIscsi(["reload", "--conf", appliance.confPath]);
  assertStringIncludes(reload.stdout, "another naa");
  // Until the file is closed under its former name, the LUN is absent.
  const hasNaa = async (naa: string): Promise<boolean> => (await marksOf(appliance)).naas[0] === naa;
  await untilAsked(() => hasNaa(naa), "the LUN has its new name");
  assertEquals(await marksOf(appliance, { lun: 1 }), second);
  assertEquals(await holders(), 1);
  assertStringIncludes((await runIscsi(["check", "--conf", appliance.confPath])).stdout, `NAA ${naa}`);
  appliance.writeConf(options);
  await runIscsi(["reload", "--conf", appliance.confPath]);
  await untilAsked(() => hasNaa(first.naas[0]!), "the LUN has its former name");
  assertEquals(await marksOf(appliance), first);
  assertEquals(await holders(), 1);
  await server.stop();
});

Deno.test("a copy of a backing file is served read-only beside its source, as a disk of its own", async () => {
  const source = "[disk]\nsize = 16MB\n";
  using appliance = Appliance.create(source);
  await using _server = await appliance.serve();
  Deno.copyFileSync(`${appliance.storage}/disk`, `${appliance.storage}/copy`);
  appliance.writeConf(`${source}\n[copy]\nsize = 16MB\nreadonly = y\n`);
  assertMatch((await appliance.build()).stdout, /^keep .*\/copy \(new identity\)$/m);
  assertEquals((await appliance.build()).stdout.includes("new identity"), false);
  // The copied records of a whole folder are not those of this server.
  await runToolOk("cp", ["-a", appliance.storage, `${appliance.folder}/second`]);
  appliance.writeConf(
    `${source}\n[copy]\nsize = 16MB\nreadonly = y\n\n[second]\nsize = 16MB\nfile = ${appliance.folder}/second/disk\n`,
  );
  const built = await appliance.build();
  assertMatch(built.stdout, /^keep .*\/second\/disk \(new identity\)$/m);
  assertMatch(built.stderr, /have the identity of those of ".*\/second" \("copy" and 1 more\)/);
  const second = await marksOf(appliance, { targetName: DISK.replace("disk", "second") });
  const [theirs, own] = [
    await marksOf(appliance),
    await marksOf(appliance, { targetName: DISK.replace("disk", "copy") }),
  ];
  assertEquals(new Set([theirs, own, second].map(({ naas }) => naas[0])).size, 3);
  assertNotEquals(own.serial, theirs.serial);
});
