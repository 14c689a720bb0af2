# frozen_string_literal: true

class Chat < ApplicationRecord
  has_many :messages, -> { order(:id) }, dependent: :destroy

  # @return [Message] the answer, which is still empty
  def ask(question)
    transaction do
      messages.create!(role: "user", content: question, complete: true)
      messages.create!(role: "assistant")
    end
  end
end
