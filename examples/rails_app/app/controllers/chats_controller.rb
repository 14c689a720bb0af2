# frozen_string_literal: true

class ChatsController < ApplicationController
  def create
    chat = Chat.create!
    AnswerJob.perform_later(chat.ask(params.require(:question)))
    render json: { id: chat.id }, status: :created
  end

  def show
    render json: Chat.find(params[:id]).messages.map { |message| message.slice(:role, :content, :complete) }
  end
end
