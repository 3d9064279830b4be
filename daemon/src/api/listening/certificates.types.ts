export interface Certificates {
  /** PEM of the local certificate authority: clients trust it. */
  ca: string;
  cert: string;
  key: string;
}
