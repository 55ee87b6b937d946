import jsdoc from 'eslint-plugin-jsdoc'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  {
    ignores: [
      'dist',
      'coverage',
      'demo-run',
      'models',
      '.venv',
      'node_modules',
      'eslint.config.js',
      'bin', // plain JavaScript: it makes or runs the build
      'examples',
      'test/**/*-worker.js', // they run the build, too
      '.dependency-cruiser.mjs',
      'scripts/ingest-client.mjs', // plain JavaScript: it runs the build
    ],
  },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    // Whatever a file offers to others says what it is. Types are TypeScript's, so no tags repeat them.
    files: ['src/**'],
    plugins: { jsdoc },
    rules: {
      'jsdoc/require-jsdoc': [
        'error',
        {
          publicOnly: true,
          enableFixer: false,
          contexts: [
            'TSInterfaceDeclaration',
            'TSTypeAliasDeclaration',
            'ExportNamedDeclaration > VariableDeclaration',
          ],
          require: { FunctionDeclaration: true, ClassDeclaration: true },
        },
      ],
    },
  },
  {
    // `AbortSignal.any` holds its sources weakly: a timeout that nothing else holds is collected before it
    // fires (Node 20). src/system/deadline.ts is the one way to bound a wait.
    files: ['src/**'],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[object.name='AbortSignal'][property.name='timeout']",
          message: 'use withDeadline of system/deadline.ts',
        },
      ],
    },
  },
  {
    // Matchers such as expect.closeTo are typed any.
    files: ['test/**'],
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off' },
  },
)
