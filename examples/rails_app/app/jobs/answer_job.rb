# frozen_string_literal: true

# Waits for a language model nearly all of its time. A thread each would be a waste; a fiber each is not.
class AnswerJob < ApplicationJob
  queue_as :llm

  # How many tokens are stored at once.
  PORTION = 5

  def perform(answer)
    question = answer.chat.messages.find_by!(role: "user").content
    tokens = []
    LanguageModel.new.stream(question) do |token|
      tokens << token
      answer.update!(content: tokens.join) if (tokens.size % PORTION).zero?
    end
    answer.update!(content: tokens.join, complete: true)
  end
end
