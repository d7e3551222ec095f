/** The disk refused a step of the provisioning; the message names the path and the remedy. */
export class ProvisionError extends Error {
  override readonly name = "ProvisionError";
}
