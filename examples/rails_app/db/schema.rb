# frozen_string_literal: true

ActiveRecord::Schema[7.2].define(version: 1) do
  create_table :chats, force: :cascade, &:timestamps

  create_table :messages, force: :cascade do |table|
    table.belongs_to :chat, null: false, foreign_key: true
    table.string :role, null: false
    table.text :content, null: false, default: ""
    table.boolean :complete, null: false, default: false
    table.timestamps
  end
end
