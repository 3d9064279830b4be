/** The answer to a question about a right. */
export interface Verdict {
  allowed: boolean;
  /** Why it is allowed or not. */
  reason: string;
  /** Why the answer could not be determined. */
  evaluationError?: string;
}
