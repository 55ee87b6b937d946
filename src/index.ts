/**
 * groundmill as a library: caption pairs to grounded phrases. What is named here is what programs may
 * rely on; everything else in the package may change with any version.
 *
 * @packageDocumentation
 */

export { loadConfig, parseConfig, type Config } from './config.ts'
export { labelDataset, type LabelOptions, type ProgressEvent } from './api/label-dataset.ts'
export { filterGroundings, readGroundings, readRejects } from './api/read-run.ts'
export {
  openGrounder,
  type GroundedPicture,
  type Grounder,
  type Picture,
} from './api/ground-picture.ts'
export { exportDataset, type ExportOptions } from './api/export-dataset.ts'
export { validateFiles, type ValidateOptions } from './api/validate-files.ts'
export {
  createPhraseFinder,
  type Explanation,
  type PhrasedCaption,
  type PhraseFinder,
  type PhraseInput,
  type PhraseResult,
} from './nlp/find-phrases.ts'
export type { Refusal } from './nlp/gate.ts'
export type { RunSummary } from './run/summary.ts'
export type { ExportCounts, ExportSummary } from './export/export-record.ts'
export type { ValidationReport } from './validate/validate.ts'
export type { FileFinding, Place } from './validate/findings.ts'
export type { CandidateDrop, FilteredSample, KeptRegion, SampleDrop } from './filter/filter.ts'
export type { DroppedSample, FilterCounts, FilteredRun } from './filter/filter-run.ts'
export type { ReasonCode, Reject, StageName } from './core/reasons.ts'
export type {
  Box,
  Candidate,
  CharSpan,
  GroundingRow,
  ImageFacts,
  ImageFormat,
  Json,
  Phrase,
} from './core/types.ts'
export {
  ConfigError,
  FatalError,
  InputError,
  SampleError,
  ShardError,
  type SampleErrorContext,
} from './core/errors.ts'
export { VERSION } from './version.ts'
