import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { read10, write10 } from "./initiator_cdb.ts";
import { ConnectionClosed, TimeLimitExceeded } from "./initiator_connection.ts";
import { Rejected } from "./initiator_dispatcher.ts";
import { LoginRefused } from "./initiator_login.ts";
import { TargetFault } from "./initiator_pdu.ts";
import { nopOut, TaskManagement } from "./initiator_request.ts";
import { SenseKey } from "./initiator_sense.ts";
import { GOOD, hex, ScriptedTarget, toHex, withSession } from "./scripted_target.ts";

Deno.test("login() sends two stages and takes the keys of both", async () => {
  const { initiator, target } = ScriptedTarget.connect();
  const login = initiator.login({
    targetName: "iqn.a:b",
    keys: { MaxOutstandingR2T: "9", HeaderDigest: undefined },
  });
  const security = await target.receive();
  assertEquals(
    toHex(security.header),
    "43810000 00000065 80123456 00010000 00000001 00000000 00000001 00000000 00000000 00000000 00000000 00000000",
  );
  assertEquals(
    new TextDecoder().decode(security.data),
    "InitiatorName=iqn.2011-07.com.example:89abcdef\0SessionType=Normal\0TargetName=iqn.a:b\0AuthMethod=None\0",
  );
  await target.send(
    "23810000 00000010 80123456 00010000 00000001 00000000 ffffffff 00000001 00000020 00000000 00000000 00000000",
    "417574684d6574686f643d4e6f6e6500",
  );
  const operational = await target.receive();
  assertEquals(
    toHex(operational.header.subarray(0, 4)) + toHex(operational.header.subarray(24, 32)),
    "4387000000000001 00000000",
  );
  const text = new TextDecoder().decode(operational.data);
  assert(text.includes("MaxOutstandingR2T=9\0"), text);
  assert(!text.includes("HeaderDigest"), text);
  await target.send(
    "23870000 0000000e 80123456 00010042 00000001 00000000 00000000 00000001 00000020 00000000 00000000 00000000",
    "496e697469616c5232543d4e6f000000",
  );
  const { tsih, answered } = await login;
  assertEquals(tsih, 0x42);
  assertEquals(answered, [["AuthMethod", "None"], ["InitialR2T", "No"]]);
  assertEquals(initiator.parameters.initialR2T, false);
  assertEquals([initiator.expStatSn, initiator.maxCmdSn], [1, 0x20]);
  await initiator.close();
  await target.close();
});

Deno.test("login() sends text in pieces and takes an answer in pieces", async () => {
  const { initiator, target } = ScriptedTarget.connect();
  const login = initiator.login({ hasSecurityStage: false, pieceBytes: 100 });
  const answers = [["23040000 00000000", ""], ["23440000 00000004", "413d0042"], [
    "23870000 00000004",
    "3d313200",
  ]];
  const flags: number[] = [];
  for (const [index, [head, text]] of answers.entries()) {
    flags.push((await target.receive()).flags);
    const numbers = `0000001${index} 00000001 00000020 00000000 00000000 00000000`;
    await target.send(head!, "80123456 00010001 00000001 00000000", numbers, text!);
  }
  assertEquals((await login).answered, [["A", ""], ["B", "12"]]);
  assertEquals(flags, [0x44, 0x87, 0x87]);
  await initiator.close();
  await target.close();
});

Deno.test("login() throws the target's refusal", async () => {
  const { initiator, target } = ScriptedTarget.connect();
  const login = assertRejects(() => initiator.login(), LoginRefused, "status 0202h");
  await target.receive();
  await target.send(
    "23000000 00000000 80123456 00010000 00000001 00000000 00000000 00000001 00000020 02020000 00000000 00000000",
  );
  assertEquals((await login).status, 0x0202);
  await initiator.close();
  await target.close();
});

Deno.test("command() reads data that comes in pieces, down to single bytes", async () => {
  await withSession(async (initiator, target) => {
    const command = initiator.command({ cdb: read10(0x0a0b0c0d, 1), lun: 3, read: 8 });
    assertEquals(
      toHex((await target.receive()).header),
      "01c10000 00000000 00030000 00000000 00000002 00000008 00000001 00000011 28000a0b 0c0d0000 01000000 00000000",
    );
    await target.send(
      "25000000 00000005 00000000 00000000 00000002 ffffffff 00000000 00000002 00000021 00000000 00000000 00000000",
      "0102030405000000",
      "25830000 00000002 00000000 00000000 00000002 ffffffff 00000011 00000002 00000022 00000001 00000005 00000001",
      "06070000",
    );
    const { data, ...rest } = await command;
    assertEquals(toHex(data), "01020304 050607");
    assertEquals(rest, { response: 0, status: 0, sense: undefined, residual: -1 });
    assertEquals([initiator.expStatSn, initiator.maxCmdSn], [0x12, 0x22]);
  }, { deliveryBytesMax: 1 });
});

Deno.test("command() sends immediate data, unsolicited data and what the target asks for", async () => {
  await withSession(async (initiator, target) => {
    const write = Uint8Array.from({ length: 5000 }, (_, i) => i % 255);
    const command = initiator.command({ cdb: write10(0, 10), write });
    const sent: { flags: number; offset: number; dataSn: number; tag: number; bytes: number }[] = [];
    async function expectDataOut(count: number): Promise<void> {
      for (let i = 0; i < count; i++) {
        const pdu = await target.receive();
        assertEquals(pdu.opcode, 5);
        assertEquals(pdu.data, write.subarray(pdu.bufferOffset, pdu.bufferOffset + pdu.data.length));
        const { flags, bufferOffset, dataSn, targetTransferTag, data } = pdu;
        sent.push({ flags, offset: bufferOffset, dataSn, tag: targetTransferTag, bytes: data.length });
      }
    }
    const first = await target.receive();
    assertEquals([first.flags, first.data.length], [0x21, 1024]);
    await expectDataOut(1);
    await target.send(
      "31800000 00000000 00000000 00000000 00000002 00000077 00000011 00000002 00000021 00000000 00000800 00000700",
      "31800000 00000000 00000000 00000000 00000002 00000078 00000011 00000002 00000021 00000001 00000f00 00000488",
    );
    await expectDataOut(4);
    await target.send(GOOD);
    assertEquals((await command).status, 0);
    assertEquals(sent, [
      { flags: 0x80, offset: 1024, dataSn: 0, tag: 0xffffffff, bytes: 1024 },
      { flags: 0x00, offset: 2048, dataSn: 0, tag: 0x77, bytes: 1024 },
      { flags: 0x80, offset: 3072, dataSn: 1, tag: 0x77, bytes: 768 },
      { flags: 0x00, offset: 3840, dataSn: 0, tag: 0x78, bytes: 1024 },
      { flags: 0x80, offset: 4864, dataSn: 1, tag: 0x78, bytes: 136 },
    ]);
  });
});

Deno.test("command() returns sense data", async () => {
  await withSession(async (initiator, target) => {
    const command = initiator.command({ cdb: read10(0, 1), read: 512 });
    await target.receive();
    await target.send(
      "21820002 00000014 00000000 00000000 00000002 00000000 00000011 00000002 00000021 00000000 00000000 00000200",
      "0012 f000 0500 0012 340a 0000 0000 2100 0000 0000",
    );
    const { status, sense, residual, data } = await command;
    assertEquals([status, residual, data.length], [2, -512, 0]);
    assertEquals([sense?.key, sense?.code, sense?.information], [SenseKey.illegalRequest, 0x2100, 0x1234]);
  });
});

Deno.test("commands may be answered in any order", async () => {
  await withSession(async (initiator, target) => {
    const commands = await Promise.all([2, 3, 4].map(() => initiator.begin({ cdb: read10(0, 1), read: 4 })));
    assertEquals(commands.map(({ cmdSn }) => cmdSn), [1, 2, 3]);
    for (const [index, tag] of [4, 2, 3].entries()) {
      await target.receive();
      await target.send(
        `25810000 00000004 00000000 00000000 0000000${tag} ffffffff 0000001${index + 1} 00000004 00000024`,
        `00000000 00000000 00000000 0000000${tag}`,
      );
    }
    const results = await Promise.all(commands.map((command) => command.result()));
    assertEquals(results.map(({ data }) => data[3]), [2, 3, 4]);
  });
});

Deno.test("begin() waits until the target's window takes the command", async () => {
  await withSession(async (initiator, target) => {
    for (let cmdSn = 1; cmdSn <= 0x20; cmdSn++) {
      await initiator.begin({ cdb: read10(0, 0) });
      await target.receive();
    }
    const blocked = initiator.begin({ cdb: read10(0, 0) });
    await assertRejects(() => target.receive(20), TimeLimitExceeded);
    await target.send(
      "20800000 00000000 00000000 00000000 ffffffff 00000007 00000011 00000021 00000040 00000000 00000000 00000000",
    );
    assertEquals((await blocked).cmdSn, 0x21);
    await initiator.begin({ cdb: read10(0, 0), cmdSn: 0x99 });
    await initiator.begin({ cdb: read10(0, 0), isImmediate: true });
    const sent = [
      await target.receive(),
      await target.receive(),
      await target.receive(),
      await target.receive(),
    ];
    assertEquals(sent.map(({ opcode }) => opcode), [0, 1, 1, 1]);
    assertEquals(sent.slice(1).map(({ header }) => [header[0], header[27]]), [[0x01, 0x21], [0x01, 0x99], [
      0x41,
      0x22,
    ]]);
  });
});

Deno.test("an initiator answers pings of the target", async () => {
  await withSession(async (initiator, target) => {
    const command = initiator.command({ cdb: read10(0, 0), read: 0 });
    await target.receive();
    await target.send(
      "20800000 00000000 00050000 00000000 ffffffff 00000007 00000011 00000002 00000021 00000000 00000000 00000000",
    );
    assertEquals(
      toHex((await target.receive()).header),
      "40800000 00000000 00050000 00000000 ffffffff 00000007 00000002 00000011 00000000 00000000 00000000 00000000",
    );
    await target.send(GOOD);
    assertEquals((await command).status, 0);
  });
});

Deno.test("nop() checks the echo", async () => {
  for (const [last, isEcho] of [["03", true], ["04", false]] as const) {
    await withSession(async (initiator, target) => {
      const nop = initiator.nop(Uint8Array.of(1, 2, 3)).then(() => true, (error) => {
        assertInstanceOf(error, TargetFault);
        return false;
      });
      await target.receive();
      await target.send(
        "20800000 00000003 00000000 00000000 00000002 ffffffff 00000011 00000001 00000021 00000000 00000000 00000000",
        `0102${last}00`,
      );
      assertEquals(await nop, isEcho);
    });
  }
});

Deno.test("sendTargets() puts an answer of several PDUs together", async () => {
  await withSession(async (initiator, target) => {
    const discovery = initiator.sendTargets();
    const request = await target.receive();
    assertEquals(new TextDecoder().decode(request.data), "SendTargets=All\0");
    await target.send(
      "24400000 0000000c 00000000 00000000 00000002 00000055 00000011 00000001 00000021 00000000 00000000 00000000",
      "5461726765744e616d653d61",
    );
    assertEquals((await target.receive()).targetTransferTag, 0x55);
    await target.send(
      "24800000 00000015 00000000 00000000 00000002 ffffffff 00000012 00000001 00000021 00000000 00000000 00000000",
      "005461726765744164647265 73733d783a312c3100 000000",
    );
    assertEquals(await discovery, [{ name: "a", addresses: ["x:1,1"] }]);
  });
});

Deno.test("taskManagement() and logout() return the target's response", async () => {
  await withSession(async (initiator, target) => {
    const abort = initiator.taskManagement(TaskManagement.abortTask, {
      referencedTaskTag: 0x99,
      refCmdSn: 5,
      lun: 1,
    });
    assertEquals(
      toHex((await target.receive()).header),
      "42810000 00000000 00010000 00000000 00000002 00000099 00000001 00000011 00000005 00000000 00000000 00000000",
    );
    await target.send(
      "22800500 00000000 00000000 00000000 00000002 00000000 00000011 00000001 00000021 00000000 00000000 00000000",
    );
    assertEquals(await abort, 5);
    const logout = initiator.logout();
    await target.receive();
    await target.send(
      "26800000 00000000 00000000 00000000 00000003 00000000 00000012 00000001 00000021 00000000 00020000 00000000",
    );
    assertEquals(await logout, 0);
    await target.close();
    assertEquals(await initiator.receiveEnd(), []);
  });
});

Deno.test("a reject ends the exchange that it quotes, and no other", async () => {
  await withSession(async (initiator, target) => {
    const [one, other] = [
      assertRejects(() => initiator.command({ cdb: read10(0, 1), read: 4 }), Rejected, "reason 9"),
      initiator.command({ cdb: read10(0, 0), read: 0 }),
    ];
    const quoted = await target.receive();
    await target.receive();
    await target.send(
      "3f800900 00000030 00000000 00000000 ffffffff 00000000 00000011 00000003 00000021 00000000 00000000 00000000",
      toHex(quoted.header),
      GOOD.replace("00000002 00000000 00000011", "00000003 00000000 00000012").replace(
        "00000002 00000021",
        "00000003 00000021",
      ),
    );
    await one;
    assertEquals((await other).status, 0);
  });
});

Deno.test("send() and receive() carry any bytes, in any pieces", async () => {
  await withSession(async (initiator, target) => {
    const pdu = nopOut({ initiatorTaskTag: 0x1234, cmdSn: 1, expStatSn: 0x11, data: Uint8Array.of(1) });
    pdu.header[1] = 0x55;
    const bytes = pdu.encode();
    await initiator.send(bytes.subarray(0, 10));
    await initiator.send(bytes.subarray(10));
    const received = await target.receive();
    assertEquals([received.flags, received.initiatorTaskTag, received.data[0]], [0x55, 0x1234, 1]);
    await target.send(
      "20800000 00000000 00000000 00000000 00001234 ffffffff 00000011 00000001 00000021 00000000 00000000 00000000",
    );
    assertEquals((await initiator.receive()).initiatorTaskTag, 0x1234);
  });
});

Deno.test("receive() gives up in time, and a later one takes what comes then", async () => {
  await withSession(async (initiator, target) => {
    const nop = hex(
      "20800000 00000000 00000000 00000000 00001234 ffffffff 00000011 00000001 00000021 00000000 00000000 00000000",
    ).toHex();
    await target.send(nop.slice(0, 20));
    await assertRejects(() => initiator.receive(10), TimeLimitExceeded, "within 10 ms");
    const receiving = initiator.receive();
    await target.send(nop.slice(20));
    assertEquals((await receiving).opcode, 0x20);
  });
});

Deno.test("the end of the connection ends every waiting", async () => {
  await withSession(async (initiator, target) => {
    const waiting = [
      assertRejects(() => initiator.receive(), ConnectionClosed),
      assertRejects(() => initiator.command({ cdb: read10(0, 1), read: 8 }), ConnectionClosed),
      assertRejects(() => initiator.nop(), ConnectionClosed),
    ];
    for (let i = 0; i < 2; i++) await target.receive();
    await target.close();
    await Promise.all(waiting);
    assertEquals(await initiator.receiveEnd(), []);
  });
});

Deno.test("close() ends every waiting of its own side", async () => {
  await withSession(async (initiator) => {
    const waiting = assertRejects(() => initiator.receive(), ConnectionClosed);
    await initiator.close();
    await waiting;
  });
});
