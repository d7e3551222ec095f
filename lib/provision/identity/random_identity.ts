import type { Identity } from "../../scsi/identity.ts";

/** The 32 characters of serial numbers: five random bits each. */
const SERIAL_NUMBER_CHARACTERS = "0123456789abcdefghijklmnopqrstuv";
const SERIAL_NUMBER_LENGTH = 20;
const NAA_RANDOM_BYTES = 8;

/**
 * Returns a new identity: 60 random bits in the NAA designator and 100 in the serial number, so it is unique among all
 * appliances.
 */
export function randomIdentity(): Identity {
  const naa = Array.from(randomBytes(NAA_RANDOM_BYTES), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
  const characters = Array.from(
    randomBytes(SERIAL_NUMBER_LENGTH),
    (byte) => SERIAL_NUMBER_CHARACTERS.charAt(byte % SERIAL_NUMBER_CHARACTERS.length),
  );
  // The first digit is the type of the designator (3h: locally assigned), the rest is random.
  return { naa: `3${naa.slice(1)}`, serialNumber: characters.join("") };
}

function randomBytes(count: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(count));
}
