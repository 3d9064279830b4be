/** What is answered to a question about a right. */
export interface Verdict {
  allowed: boolean;
  /** What it rests on, or why not. */
  reason: string;
  /** Why it could not be found out. */
  evaluationError?: string;
}
