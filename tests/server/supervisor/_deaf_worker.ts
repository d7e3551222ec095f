/** A target worker that hangs from the start. */
const never = new Int32Array(new SharedArrayBuffer(4));
while (Atomics.wait(never, 0, 0, 10) === "timed-out");
