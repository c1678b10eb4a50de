import tseslint from 'typescript-eslint';

const forbidden = 'Text goes into the page as text only.';

export default tseslint.config(
  { ignores: ['node_modules', 'dev'] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],
      'eqeqeq': 'error',
      'max-lines': ['error', 500],
      'no-console': 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: forbidden },
        { property: 'outerHTML', message: forbidden },
        { property: 'insertAdjacentHTML', message: forbidden },
        { object: 'document', property: 'write', message: forbidden },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: forbidden },
        { selector: 'JSXAttribute[name.name="style"]', message: 'The content security policy forbids style attributes in markup; use a class.' },
      ],
    },
  },
  { files: ['*.js'], ...tseslint.configs.disableTypeChecked },
);
