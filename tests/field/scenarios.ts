/** The scenarios that there are, in the order in which they run. */
import { BOX_DEVICES } from "./box_devices.ts";
import { BOX_PAIRS } from "./box_pairs.ts";
import { IPXE } from "./ipxe.ts";
import { LIBISCSI } from "./libiscsi.ts";
import { LINUX_DISK } from "./linux_disk.ts";
import { LINUX_LOGIN } from "./linux_login.ts";
import { LINUX_TROUBLE } from "./linux_trouble.ts";
import { NMAP } from "./nmap.ts";
import { QEMU } from "./qemu.ts";
import type { Scenario } from "./scenario.ts";
import { WIRESHARK } from "./wireshark.ts";

/** Every scenario. Those that share a guest stand together. */
export const SCENARIOS: readonly Scenario[] = [
  ...IPXE,
  ...QEMU,
  ...LIBISCSI,
  ...NMAP,
  ...WIRESHARK,
  ...LINUX_LOGIN,
  ...LINUX_DISK,
  ...LINUX_TROUBLE,
  ...BOX_DEVICES,
  ...BOX_PAIRS,
];
