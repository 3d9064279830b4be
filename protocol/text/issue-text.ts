/** Rewords the schema library's messages about a value to match dtkd's own. Pure. */
export function issueText(message: string): string {
  return message.replace(/^Invalid (input|string): /, '').replace(/, received undefined$/, ', but it is missing');
}
