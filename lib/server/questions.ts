/** What the supervisor asks its worker while that serves, and what the worker answers: plain data, posted as it is. */
import type { NodeSnapshot } from "../iscsi/node_snapshot.ts";

/** Something that the supervisor wants to know, or to have done and to know how it went. */
export type Question =
  /** How the node is at this moment. */
  { readonly kind: "snapshot" };

/** What each question is answered with. */
export interface Answers {
  readonly snapshot: NodeSnapshot;
}

/** The answer to a question. */
export type AnswerTo<Asked extends Question> = Answers[Asked["kind"]];

/** An answer as it is posted, to the question with this number; a fault is for the user. */
export type Answered =
  & { readonly kind: "answered"; readonly id: number }
  & (
    | { readonly answer: Answers[keyof Answers] }
    | { readonly fault: string }
  );
