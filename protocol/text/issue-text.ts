/** What a schema says of a value, in the words in which the rest is said. Pure. */
export function issueText(message: string): string {
  return message.replace(/^Invalid (input|string): /, '').replace(/, received undefined$/, ', and there is none');
}
