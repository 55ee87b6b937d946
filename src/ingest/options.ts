// The config sections that ingest owns.

export {
  fetchOptionsSchema,
  fetchVolatile,
  imageOptionsSchema,
  imageVolatile,
  type FetchOptions,
  type ImageOptions,
} from './fetch-options.ts'
