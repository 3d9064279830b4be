import { mustComeFirst } from '../own-programs.ts';

/** `dtkd restore` needs no daemon. */
export const configure = mustComeFirst;
