const hash = { type: 'string', pattern: '^0x[0-9a-f]{64}$' }
const texts = { type: 'array', items: { type: 'string', maxLength: 512 }, maxItems: 128 }

const cors = {
  type: 'object',
  required: ['origins', 'headers'],
  additionalProperties: false,
  properties: {
    origins: texts,
    headers: texts,
    methods: texts,
    exposedHeaders: texts,
    allowCredentials: { type: 'boolean' },
    maxAge: { type: 'integer', minimum: 0 },
  },
}

const route = {
  type: 'object',
  required: ['method', 'path', 'kind', 'payload'],
  additionalProperties: false,
  properties: {
    method: { type: 'string', pattern: '^(ANY|[A-Z]{1,32})$' },
    path: { type: 'string', pattern: '^/', maxLength: 1024 },
    kind: { enum: ['http', 'httpApi'] },
    payload: { enum: ['1.0', '2.0'] },
    catchAll: { type: 'boolean' },
    cors,
    schemas: { type: 'object' },
    binaryMediaTypes: texts,
  },
}

const manifestFunction = {
  type: 'object',
  required: [
    'name',
    'handler',
    'bundleCid',
    'codeDigest',
    'size',
    'routes',
    'price',
    'timeout',
    'memorySize',
    'egress',
    'verification',
    'publicHeaders',
    'environment',
    'runtimeId',
  ],
  additionalProperties: false,
  properties: {
    name: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,128}$' },
    handler: { type: 'string', minLength: 1, maxLength: 512 },
    bundleCid: { type: 'string', pattern: '^baf[a-z2-7]{20,100}$' },
    codeDigest: hash,
    size: { type: 'integer', minimum: 1 },
    routes: { type: 'array', items: route, maxItems: 256 },
    price: { type: 'string', pattern: '^(0|[1-9][0-9]{0,37})$' },
    timeout: { type: 'integer', minimum: 1, maximum: 900 },
    memorySize: { type: 'integer', minimum: 64, maximum: 10240 },
    egress: texts,
    verification: { enum: ['none', 'deterministic', 'public'] },
    publicHeaders: texts,
    warmup: { type: 'object' },
    environment: { type: 'object', additionalProperties: { type: 'string' } },
    stage: { type: 'string', minLength: 1, maxLength: 128 },
    runtimeId: hash,
    description: { type: 'string', maxLength: 1024 },
  },
}

/** JSON Schema (draft 7) of a manifest. */
export const MANIFEST_SCHEMA = {
  $id: 'peerhost/manifest/1',
  type: 'object',
  required: ['schema', 'owner', 'project', 'functions', 'tools'],
  additionalProperties: false,
  properties: {
    schema: { const: 'peerhost/manifest/1' },
    owner: { type: 'string', pattern: '^0x[0-9a-f]{40}$' },
    project: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' },
    functions: { type: 'array', items: manifestFunction, maxItems: 256 },
    tools: { type: 'object', additionalProperties: { type: 'string' } },
  },
} as const
