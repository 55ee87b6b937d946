// The config sections that ingest owns.

export {
  fetchOptionsSchema,
  fetchVolatile,
  imageOptionsSchema,
  imageVolatile,
  type FetchOptions,
  type ImageOptions,
} from './fetch-options.ts'
export { sourceOptionsSchema, sourceVolatile, type SourceOptions } from './source-options.ts'
