import type { ControlHandlers } from "../../lib/control/control_requests.ts";

function refuse(): Promise<never> {
  return Promise.reject(new Error("a test has no use for this request"));
}

/** Handlers of requests: those of a test, and none for the others. */
export function handlersWith(handlers: Partial<ControlHandlers>): ControlHandlers {
  return {
    status: refuse,
    disconnect: refuse,
    reservations: refuse,
    clearReservations: refuse,
    copy: refuse,
    followCopy: refuse,
    replace: refuse,
    endReplacement: refuse,
    trim: refuse,
    reload: refuse,
    ...handlers,
  };
}
