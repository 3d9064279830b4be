/** What an image of this project has to keep to, judged from its Dockerfile. Pure. */
import { DockerfileParser, type From, type Instruction, JSONInstruction, ModifiableInstruction } from 'dockerfile-ast';

interface Stage {
  from: From;
  instructions: Instruction[];
}

export interface Parsed {
  all: Instruction[];
  stages: Stage[];
}

type Rule = (parsed: Parsed) => string[];

const KNOWN =
  /^(ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR|MAINTAINER)$/;
const SECRET_NAME = /token|secret|passw|credential|(^|_)key|npmrc|auth/i;
const REQUIRED_LABELS = ['title', 'description', 'licenses', 'version', 'revision'].map((name) => `org.opencontainers.image.${name}`);

export function parseDockerfile(text: string): Parsed {
  const all = DockerfileParser.parse(text).getInstructions();
  const stages: Stage[] = [];
  for (const instruction of all) {
    if (instruction.getKeyword() === 'FROM') stages.push({ from: instruction as From, instructions: [] });
    else stages.at(-1)?.instructions.push(instruction);
  }
  return { all, stages };
}

/** What is wrong, a sentence each. */
export function faultsOf(text: string): string[] {
  const parsed = parseDockerfile(text);
  return RULES.flatMap((rule) => rule(parsed));
}

/** The instructions of the image itself. */
export function finalOf(parsed: Parsed, keyword: string): Instruction[] {
  return parsed.stages.at(-1)?.instructions.filter((each) => each.getKeyword() === keyword) ?? [];
}

/** The strings of an instruction in exec form, or undefined. HEALTHCHECK has its own after CMD. */
export function execForm(instruction: Instruction | undefined): string[] | undefined {
  if (instruction === undefined) return undefined;
  if (instruction instanceof JSONInstruction && instruction.getOpeningBracket() !== null) {
    return instruction.getJSONStrings().map((each) => each.getJSONValue());
  }
  const found = /\[.*\]$/s.exec(instruction.getArgumentsContent() ?? '');
  return found === null ? undefined : (JSON.parse(found[0]) as string[]);
}

function hasFlag(instruction: Instruction, name: string): boolean {
  return instruction instanceof ModifiableInstruction && instruction.getFlags().some((flag) => flag.getName() === name);
}

const only =
  (keyword: string, judge: (content: string, instruction: Instruction) => string | undefined): Rule =>
  (parsed) => {
    const found = finalOf(parsed, keyword);
    const [first] = found;
    if (first === undefined || found.length > 1) return [`the image has ${found.length} ${keyword}, and has to have one`];
    const fault = judge(first.getArgumentsContent() ?? '', first);
    return fault === undefined ? [] : [fault];
  };

const each =
  (keyword: string, judge: (content: string, parsed: Parsed) => string | undefined): Rule =>
  (parsed) =>
    parsed.all
      .filter((instruction) => instruction.getKeyword() === keyword)
      .flatMap((instruction) => judge(instruction.getArgumentsContent() ?? '', parsed) ?? []);

const RULES: readonly Rule[] = [
  ({ all }) => all.filter((one) => !KNOWN.test(one.getKeyword())).map((one) => `${one.getInstruction()} is no instruction`),
  ({ stages }) => (stages.length > 1 ? [] : ['what builds it is in the image: there is one stage']),
  ({ all, stages }) =>
    stages.flatMap(({ from }) => {
      const variable = /^\$\{(\w+)\}$/.exec(from.getImage() ?? '')?.[1];
      const value = all
        .slice(0, all.indexOf(stages[0]?.from as Instruction))
        .map((one) => one.getArgumentsContent() ?? '')
        .find((one) => one.startsWith(`${variable}=`));
      if (variable === undefined || value === undefined) return [`FROM ${from.getImage()}: the image is not an ARG`];
      return /:(?!latest$)[^/]+$/.test(value) ? [] : [`${value}: the default has no version`];
    }),
  // Who it runs as, and that nothing comes after which would need more.
  only('USER', (content) => (/^[1-9]\d{3,}:[1-9]\d{3,}$/.test(content) ? undefined : `USER ${content} is not a fixed number other than 0`)),
  ({ stages }) => {
    const keywords = stages.at(-1)?.instructions.map((one) => one.getKeyword()) ?? [];
    return keywords.lastIndexOf('USER') > Math.max(keywords.lastIndexOf('RUN'), keywords.lastIndexOf('COPY'))
      ? []
      : ['files are made after USER: the user could change them'];
  },
  only('HEALTHCHECK', (content, one) =>
    execForm(one) === undefined || !hasFlag(one, 'timeout') ? `HEALTHCHECK ${content}: not in exec form, or without a timeout` : undefined,
  ),
  only('ENTRYPOINT', (content, one) =>
    execForm(one)?.[0] === 'tini' ? undefined : `ENTRYPOINT ${content}: the first process is no init, or a shell takes the signals`,
  ),
  only('CMD', (content, one) => (execForm(one) === undefined ? `CMD ${content} is not in exec form` : undefined)),
  only('STOPSIGNAL', (content) => (content === 'SIGTERM' ? undefined : `STOPSIGNAL ${content} does not stop a daemon in order`)),
  only('EXPOSE', (content) => (content === '7701/tcp' ? undefined : `EXPOSE ${content}: other sites need the mesh only`)),
  only('VOLUME', (content) => (content === '/var/lib/dtkd' ? undefined : `VOLUME ${content}: nothing but the data is kept`)),
  ({ stages }) => {
    const labels = finalOf({ all: [], stages }, 'LABEL').map((one) => one.getArgumentsContent() ?? '');
    return REQUIRED_LABELS.filter((name) => !labels.some((text) => text.includes(`${name}=`))).map((name) => `there is no label ${name}`);
  },
  each('ADD', (content) => `ADD ${content}: COPY does what is meant, and no more`),
  each('COPY', (content) => (/(^|\s)(\/root|~|\S*\.npmrc)(\s|$)/.test(content) ? `COPY ${content} brings what is private` : undefined)),
  (parsed) =>
    finalOf(parsed, 'COPY')
      .filter((one) => !hasFlag(one, 'from'))
      .map((one) => `COPY ${one.getArgumentsContent()}: the image takes only what was built`),
  ...['ENV', 'ARG'].map((keyword) =>
    each(keyword, (content) => {
      const names = [...content.matchAll(/(?:^|\s)([A-Za-z_]\w*)(?==|$)/g)].map(([, name = '']) => name);
      const secret = names.find((name) => SECRET_NAME.test(name));
      return secret === undefined ? undefined : `${keyword} ${secret} would stay in the image`;
    }),
  ),
  each('WORKDIR', (content) => (content.startsWith('/') ? undefined : `WORKDIR ${content} is not absolute`)),
  each('RUN', (content) => (/\b(sudo|curl|wget)\b/.test(content) ? `RUN ${content}: fetches, or gains rights, on its own` : undefined)),
  each('RUN', (content) =>
    /apt-get install/.test(content) &&
    !(/apt-get update/.test(content) && /--no-install-recommends/.test(content) && /rm -rf \/var\/lib\/apt\/lists/.test(content))
      ? `RUN ${content}: installs more than needed, of old lists, or keeps them`
      : undefined,
  ),
  each('RUN', (content) => (/\bnpm (i|install)\b/.test(content) ? `RUN ${content}: not what the lock file says` : undefined)),
  each('RUN', (content) => (/https?:\/\/|--registry/.test(content) ? `RUN ${content} names a registry` : undefined)),
  (parsed) =>
    finalOf(parsed, 'RUN').flatMap((one) =>
      /apt-get|npm|node/.test(one.getArgumentsContent() ?? '') ? [`RUN ${one.getArgumentsContent()}: belongs into the build stage`] : [],
    ),
];
