import { assertEquals } from "@std/assert";
import {
  decodeTransportId,
  encodeTransportId,
  initiatorNameOf,
  toInitiatorPort,
  transportIdLength,
} from "../../../lib/scsi/reservations/transport_id.ts";
import { assertHex, bytes } from "../fixture.ts";

Deno.test("encodeTransportId() writes format 01b, padded to a multiple of four (SPC-4, table 506)", () => {
  assertHex(
    encodeTransportId("iqn.2007-01.tld.a:b,i,0x400001370000"),
    `45 00 00 28 69 71 6e 2e 32 30 30 37 2d 30 31 2e 74 6c 64 2e 61 3a 62 2c 69 2c 30 78
     34 30 30 30 30 31 33 37 30 30 30 30 00 00 00 00`,
  );
});

Deno.test("decodeTransportId() reads back what encodeTransportId() writes, of any length", () => {
  for (let length = 1; length < 200; length++) {
    const initiatorPort = `iqn.2007-01.tld.a:${"b".repeat(length)},i,0x00023d000001`;
    const id = encodeTransportId(initiatorPort);
    assertEquals([id.length % 4, transportIdLength(initiatorPort)], [0, id.length]);
    assertEquals(decodeTransportId(Uint8Array.of(...id, 0xff)), {
      id: { kind: "port", initiatorPort },
      lengthBytes: id.length,
    });
    assertEquals(initiatorNameOf(initiatorPort), initiatorPort.slice(0, -",i,0x00023d000001".length));
  }
});

Deno.test("transportIdLength() counts bytes of names that are not ASCII", () => {
  for (const letters of ["\u00e9", "\u4e2d\u6587", "a\u0301"]) {
    const initiatorPort = `iqn.2007-01.tld.a:${letters},i,0x00023d000001`;
    assertEquals(transportIdLength(initiatorPort), encodeTransportId(initiatorPort).length);
  }
});

Deno.test("decodeTransportId() folds names, and reads the name alone in format 00b", () => {
  const name = [...new TextEncoder().encode("IQN.2007-01.tld.A:b\0garbage\0")];
  const id = Uint8Array.of(0x05, 0, 0, 28, ...name, 0);
  assertEquals(decodeTransportId(id)?.id, { kind: "initiator", initiatorName: "iqn.2007-01.tld.a:b" });
  assertEquals(toInitiatorPort("iqn.2007-01.TLD.a:b,i,0x23D000001"), "iqn.2007-01.tld.a:b,i,0x00023d000001");
});

Deno.test("decodeTransportId() reads names with spaces, commas and letters of two bytes, and folds them", () => {
  for (const rest of ["web server 1", "vm(1)", "a,b", "a,i,0y,i,1", '"b\u00fcro"']) {
    const initiatorPort = `iqn.2008-11.org.linux-kvm:${rest},i,0x00023d000001`;
    const id = encodeTransportId(initiatorPort.replace("web", "WEB"));
    assertEquals(decodeTransportId(id)?.id, { kind: "port", initiatorPort });
    assertEquals(initiatorNameOf(initiatorPort), `iqn.2008-11.org.linux-kvm:${rest}`);
  }
  const ambiguous = encodeTransportId("iqn.2008-11.org.linux-kvm:a,i,0x1,i,0x00023d000001");
  assertEquals(decodeTransportId(ambiguous), undefined);
});

Deno.test("decodeTransportId() takes nothing else", () => {
  const good = encodeTransportId("iqn.2007-01.tld.a:b,i,0x400001370000");
  for (let length = 0; length < good.length; length++) {
    assertEquals(decodeTransportId(good.subarray(0, length)), undefined, `${length} bytes`);
  }
  const wrongs: readonly (readonly [index: number, value: number])[] = [
    [0, 0x46], // another protocol
    [0, 0x55], // a reserved bit
    [0, 0x65], // another one
    [1, 0x01], // a reserved byte
    [0, 0x85], // another format
    [0, 0x05], // a port's name as an initiator's
    [3, 0x27], // no multiple of four
    [3, 0x10], // too short
    [4, 0x41], // no iSCSI name
    [24, 0x2e], // no separator
    [32, 0x67], // no hexadecimal digit
  ];
  for (const [index, value] of wrongs) {
    const wrong = good.slice();
    wrong[index] = value;
    assertEquals(decodeTransportId(wrong), undefined, `${value} at ${index}`);
  }
  assertEquals(decodeTransportId(bytes("05 00 00 14" + " 00".repeat(20))), undefined, "no name");
  assertEquals(toInitiatorPort("iqn.2007-01.tld.a:b,i,0x1400001370000"), undefined, "13 digits");
  assertEquals(toInitiatorPort("iqn.2007-01.tld.a:b,i,0x"), undefined);
});
