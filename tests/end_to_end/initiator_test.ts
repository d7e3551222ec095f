/** The initiator of our tests, tried on a target that no one here wrote. */
import { assertEquals, assertRejects } from "@std/assert";
import { Initiator } from "../support/initiator.ts";
import { inquiry, read10, readCapacity10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { DIGEST_USES, digestKeys } from "../support/initiator_digest.ts";
import { LoginRefused } from "../support/initiator_login.ts";
import { TaskManagement } from "../support/initiator_request.ts";
import { SenseKey } from "../support/initiator_sense.ts";
import { testWithTools } from "../support/tools.ts";
import { Tgt, TGT_TOOLS } from "./tgt.ts";

const DISK_BYTES = 16 * 1024 ** 2;

testWithTools("our initiator does with tgt all that it can do", TGT_TOOLS, async () => {
  await using tgt = await Tgt.start(DISK_BYTES);
  await using discovery = await Initiator.connect(tgt.port);
  await discovery.login();
  assertEquals((await discovery.sendTargets()).map(({ name }) => name), [tgt.targetName]);
  assertEquals(await discovery.logout(), 0);
  await using stray = await Initiator.connect(tgt.port);
  await assertRejects(
    () => stray.login({ targetName: "iqn.2002-08.info.netmanager:absent" }),
    LoginRefused,
    "0203h",
  );
  for (const [round, initialR2T] of ["Yes", "No", "Yes", "No"].entries()) {
    await using initiator = await Initiator.connect(tgt.port);
    const keys = { InitialR2T: initialR2T, ...digestKeys(DIGEST_USES[round]!) };
    await initiator.login({ targetName: tgt.targetName, keys });
    assertEquals(initiator.connection.digests, DIGEST_USES[round]);
    assertEquals(initiator.parameters.initialR2T, initialR2T === "Yes");
    const attention = await initiator.command({ cdb: testUnitReady(), lun: 1 });
    assertEquals(attention.sense?.key, SenseKey.unitAttention);
    const identification = await initiator.command({ cdb: inquiry(96), lun: 1, read: 96 });
    assertEquals(new TextDecoder().decode(identification.data.subarray(8, 16)), "IET     ");
    const capacity = await initiator.command({ cdb: readCapacity10(), lun: 1, read: 100 });
    assertEquals([capacity.data.length, capacity.residual], [8, -92]);
    const written = crypto.getRandomValues(new Uint8Array(65536)).map((byte, i) => byte ^ i);
    const blocks = written.length / 512;
    const writes = [0, 1, 2, 3].map((i) =>
      initiator.command({ cdb: write10(i * blocks, blocks), lun: 1, write: written })
    );
    for (const { status } of await Promise.all(writes)) assertEquals(status, 0);
    const whole = await initiator.command({ cdb: read10(0, 4 * blocks), lun: 1, read: 4 * written.length });
    assertEquals(whole.data.subarray(3 * written.length), written);
    assertEquals((await initiator.nop(Uint8Array.of(1, 2, 3, 4, 5))).data.length, 5);
    assertEquals(await initiator.taskManagement(TaskManagement.logicalUnitReset, { lun: 1 }), 0);
    assertEquals(await initiator.logout(), 0);
  }
});
