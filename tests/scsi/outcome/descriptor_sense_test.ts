import { toDescriptorFormat } from "../../../lib/scsi/outcome/descriptor_sense.ts";
import { encodeSense, Sense } from "../../../lib/scsi/outcome/sense.ts";
import { assertHex, bytes } from "../fixture.ts";

Deno.test("toDescriptorFormat() keeps key, code and qualifier", () => {
  assertHex(toDescriptorFormat(encodeSense(Sense.writeError)), "72 03 0c 00 00 00 00 00");
});

Deno.test("toDescriptorFormat() keeps a deferred error deferred", () => {
  assertHex(toDescriptorFormat(encodeSense(Sense.deferredWriteError)), "73 03 0c 00 00 00 00 00");
});

Deno.test("toDescriptorFormat() encodes a descriptor of INFORMATION if it is valid", () => {
  const invalid = "70 00 0e 00 00 01 02 0a 00 00 00 00 1d 00 00 00 00 00";
  assertHex(toDescriptorFormat(bytes(invalid)), "72 0e 1d 00 00 00 00 00");
  assertHex(
    toDescriptorFormat(bytes(`f0 ${invalid.slice(3)}`)),
    "72 0e 1d 00 00 00 00 0c  00 0a 80 00 00 00 00 00 00 00 01 02",
  );
});

Deno.test("toDescriptorFormat() encodes all descriptors, and drops vendor specific bytes", () => {
  assertHex(
    toDescriptorFormat(bytes("f0 00 05 00 00 00 07 0b 12 00 00 03 26 00 00 8f 00 12 55")),
    `72 05 26 00 00 00 00 20
     00 0a 80 00 00 00 00 00 00 00 00 07
     01 0a 00 00 00 00 00 00 12 00 00 03
     02 06 00 00 8f 00 12 00`,
  );
});
