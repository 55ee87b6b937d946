// Who may import whom. Imports point one way:
//
//   core <- system <- ingest/{source,fetch,image} | nlp | teacher | filter | export | validate | store
//        <- run | doctor <- api <- commands <- cli | index
//
// Each rule says what a folder may see inside src; what goes beyond the line above has its reason here and
// nowhere else.

/** Folders that a folder may import, beside itself. */
const MAY_IMPORT = {
  core: [],
  system: ['core'],
  'ingest/source': ['core', 'system', 'ingest/fetch'],
  'ingest/fetch': ['core', 'system'],
  'ingest/image': ['core', 'system', 'ingest/fetch'],
  nlp: ['core', 'system'],
  teacher: ['core', 'system'],
  filter: ['core', 'system'],
  export: ['core', 'system', 'filter', 'store', 'validate'],
  validate: ['core', 'system'],
  store: ['core', 'system'],
}

const REASONS = {
  'ingest/source': 'datasets on the web are read through the fetcher and its guard',
  'ingest/image': 'load.ts joins a reference to its bytes: from the web, a file or the dataset',
  export:
    'an export filters the rows of a run folder and writes what is kept; a format names its validator',
}

const folderRules = Object.entries(MAY_IMPORT).map(([folder, allowed]) => ({
  name: `${folder.replace('/', '-')}-sees-only-what-it-may`,
  severity: 'error',
  comment: REASONS[folder] ?? `${folder} may import: ${allowed.join(', ') || 'nothing else'}`,
  from: { path: `^src/${folder}/` },
  to: {
    path: '^src/',
    pathNot: ['^src/version', ...[folder, ...allowed].map((name) => `^src/${name}/`)],
  },
}))

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circles',
      severity: 'error',
      comment: 'type-only imports too: a circle means that two files are one',
      from: {},
      to: { circular: true },
    },
    {
      name: 'run-and-doctor-see-no-commands',
      severity: 'error',
      from: { path: '^src/(run|doctor)/' },
      to: { path: '^src/(api/|commands/|cli|main|index)' },
    },
    {
      name: 'api-sees-no-commands',
      severity: 'error',
      comment: 'a program that uses the library parses no arguments and writes to no stream',
      from: { path: '^src/api/' },
      to: { path: '^src/(doctor/|commands/|cli|main|index)' },
    },
    {
      name: 'index-has-no-logic',
      severity: 'error',
      comment: 'the public names; nothing inside imports them',
      from: { pathNot: '^(src/index|test/|examples/)' },
      to: { path: '^src/index' },
    },
    {
      name: 'one-importer-of-onnxruntime',
      severity: 'error',
      comment: 'the runtime blocks its thread: one worker owns it',
      from: { pathNot: '^src/teacher/onnx-worker' },
      to: { path: 'node_modules/onnxruntime-node' },
    },
    ...folderRules,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
